"""A server under measurement: started, asked by the kernel's accounts what it cost, ended."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

START_TIMEOUT = 20.0
"""Seconds that a program has to say that it listens."""
STOP_TIMEOUT = 10.0
"""Seconds that it has to end before it is killed."""


class Failed(Exception):
    """A program under measurement did not do what it should; the text says what."""


class Server:
    """One running program that listens on `port` of 127.0.0.1, in a process group of its own."""

    def __init__(
        self, argv: Sequence[str], *, port: int | None = None, cwd: Path | None = None
    ) -> None:
        """Start it. Without `port` it prints a line with the free port that it took."""
        self.argv = list(argv)
        self._process = subprocess.Popen(
            self.argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if port else subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        prefer(self.pid)
        try:
            self.port = port or self._read_port()
        except BaseException:
            self.stop()
            raise

    def _read_port(self) -> int:
        assert self._process.stdout is not None
        line = read_line(self._process.stdout, START_TIMEOUT)
        found = re.search(r"port (\d+)", line)
        if found is None:
            raise Failed(f"{' '.join(self.argv)} did not start: it said {line!r}")
        return int(found[1])

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used, user and system, all its threads.

        Linux counts them in nanoseconds per thread (`schedstat`); where it does not, in ticks of
        10 ms per process (`stat`).
        """
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
                total += int((task / "schedstat").read_text().split()[0])
        if total:
            return total / 1e9
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Return the bytes of memory that it holds now."""
        return memory_of(self.pid)

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def stop(self) -> None:
        """End it, politely first."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


preferring = False
"""Whether the kernel is asked to run what is measured before all else (`--prefer`)."""


def prefer(pid: int) -> None:
    """Let a process come before others, so that a busy machine disturbs less. Needs root."""
    if preferring:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, -20)
            # Linux shares time among sessions first: the priority of its own counts, too.
            Path(f"/proc/{pid}/autogroup").write_text("-20")


def memory_of(pid: int, field: str = "VmRSS") -> int:
    """Return a field of /proc/PID/status in bytes: VmRSS now, VmHWM at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def read_line(stream: IO[str], timeout: float) -> str:
    """Return one line of a pipe that nothing was read from yet; what is there after `timeout`."""
    data = b""
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                break
            piece = os.read(stream.fileno(), 1)
            if not piece:
                break
            data += piece
    return data.decode(errors="replace")


def allow_descriptors(count: int) -> bool:
    """Raise the limit of open descriptors, for us and what we start; say whether it suffices."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        with contextlib.suppress(ValueError, OSError):
            wanted = count if hard == resource.RLIM_INFINITY else max(count, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        with contextlib.suppress(ValueError, OSError):
            if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count:
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= count
