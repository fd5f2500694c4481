"""Start, watch and end programs, and whatever they leave behind.

Every program gets a session and a pseudo-terminal of its own: stdout of a C program is
line-buffered on a terminal only, so a pipe would hide what it prints. The terminal is the
controlling one, with echo off (what we type is not output) and lines on (ICANON, as a person
has it), 1,000 columns wide so that nothing wraps.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import kernel
from .failures import GraderError

BY_THE_CHECK = "the check kills it here"
"""Why a program has ended that has to: this is the reason for nothing that was not shown."""
COLUMNS = 1000
KEPT = 512 * 1024
"""Bytes of a program's output that are kept: this many of its beginning and of its end."""
FLOOD = 4 * 1024 * 1024
"""Bytes of output, beyond four for each byte that the check has sent, after which a program
counts as printing without end."""
MEMORY = 1024 * 1024 * 1024
"""Resident bytes after which a program's processes are ended."""
PROCESSES = 128
"""Processes after which a program counts as multiplying without end."""

# What our own interpreter was started with must not reach the program: with our PYTHONPATH a
# student's `import common` would find ours.
_SCRUBBED = (
    "PYTHON",
    "COVERAGE",
    "COV_CORE",
    "VIRTUAL_ENV",
    "PYTEST",
    "MAKE",
    "MFLAGS",
    "LD_PRELOAD",
)


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program under test sees as its environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(_SCRUBBED)}
    env.update(HOME=str(home), TERM="dumb", COLUMNS=str(COLUMNS), LC_ALL="C.UTF-8")
    env.update(extra or {})
    return env


class Program:
    """One started program: its process group, its terminal, what it printed, how it ended."""

    def __init__(
        self, name: str, argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, file_limit: int
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.cwd = cwd
        self.home = Path(env["HOME"])
        self.output = Record()
        self.started_at = time.monotonic()
        self.ended_because = ""  # why the harness ended it, if it did
        try:
            self.master, self._slave = os.openpty()
        except OSError as error:
            raise GraderError(f"no pseudo-terminal: {error}") from error
        _plain_terminal(self._slave)
        os.set_blocking(self.master, False)
        try:
            self._popen = subprocess.Popen(
                self.argv,
                cwd=cwd,
                env=dict(env),
                stdin=self._slave,
                stdout=self._slave,
                stderr=self._slave,
                start_new_session=True,
                preexec_fn=_child_setup(file_limit),
            )
        except (OSError, subprocess.SubprocessError) as error:
            self.close_terminal()
            raise CannotStart(f"`{' '.join(argv)}` cannot be started: {error}") from error
        self.pid = self._popen.pid
        self._family = {self.pid}
        self._forks = ""

    # -- watching -----------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while the program's first process lives."""
        return self._popen.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Exit status, -N for signal N, None while it runs."""
        return self._popen.poll()

    @property
    def end_in_words(self) -> str:
        """How the program ended, in words: 'exited with status 1', 'was killed by SIGSEGV'."""
        status = self.exit_status
        if status is None:
            return "is still running"
        if self.ended_because:
            return f"was ended by the grader: {self.ended_because}"
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-status).name}"
            return f"was killed by signal {-status}"
        return f"exited with status {status}"

    @property
    def crashed(self) -> bool:
        """True when a signal that the harness did not send ended the program, or a sanitizer or
        interpreter reported its own failure."""
        status = self.exit_status
        if status is None or self.ended_because:
            return False
        return status < 0 and -status not in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def processes(self, forks: str = "") -> set[int]:
        """The program's living processes. Looks for new ones only when the machine has forked
        (`forks`: `kernel.forks_so_far`, for a caller who asks of several programs)."""
        forks = forks or kernel.forks_so_far()
        if forks != self._forks or not forks:
            self._forks = forks
            self._family = kernel.family(self._family | {self.pid})
        return self._family

    def listening_ports(self) -> set[int]:
        """Ports of the LISTEN sockets that the program's processes own."""
        listeners = [row for row in kernel.connections() if row.is_listener]
        if not listeners:
            return set()
        owned = kernel.socket_inodes(kernel.family({self.pid}))
        return {row.local_port for row in listeners if row.inode in owned}

    def tcp_connections(self) -> list[kernel.Connection]:
        """The program's own TCP connections, listeners left out."""
        owned = kernel.socket_inodes(kernel.family({self.pid}))
        return [r for r in kernel.connections() if r.inode in owned and not r.is_listener]

    # -- its terminal -------------------------------------------------------------------------

    def read_output(self) -> bool:
        """Take what the program printed since; True when there was something. At most a few
        reads at a time, so that one who prints without end does not keep us here."""
        got = False
        for _ in range(64):
            try:
                data = os.read(self.master, 65536)
            except (BlockingIOError, OSError):
                return got
            if not data:
                return got
            self.output.append(data)
            got = True
        return got

    def unread_input(self) -> int:
        """Bytes that were typed and that the program has not read yet."""
        answer = fcntl.ioctl(self._slave, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0])

    def type_bytes(self, data: bytes) -> None:
        """Type. Raises BlockingIOError when the terminal's buffer (4 KiB) is full."""
        while data:
            written = os.write(self.master, data)
            data = data[written:]

    def over_limits(self, bytes_sent: int) -> str:
        """Say which limit the program has passed, or nothing."""
        if self.output.total > FLOOD + 4 * bytes_sent:
            return "it printed without end"
        pids = self.processes()
        if len(pids) > PROCESSES:
            return f"it started more than {PROCESSES} processes"
        if kernel.resident_bytes(pids) > MEMORY:
            return f"it used more than {MEMORY >> 20} MiB of memory"
        return ""

    # -- ending -------------------------------------------------------------------------------

    def signal(self, number: int) -> None:
        """Send a signal to the program's first process, as a person would with kill(1)."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until the first process has ended, at most so long; False when it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
            return True
        return False

    def end(self, because: str = "the check was over") -> None:
        """Kill the program's process group and family, at once."""
        if self.running:
            self.ended_because = because
        for pid in kernel.family({self.pid}):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(10)

    def close_terminal(self) -> None:
        """Hang up. A program that is still running gets SIGHUP."""
        for fd in (self.master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)


class CannotStart(Exception):
    """The command cannot be started: no such file, not executable, not a program."""


class Record:
    """The bytes that somebody sent or printed: the beginning and the end are kept."""

    def __init__(self) -> None:
        self.total = 0  # bytes seen, kept or not
        self._kept = bytearray()
        self._dropped = 0  # bytes cut out behind the first KEPT

    def append(self, data: bytes) -> None:
        """Add bytes; beyond 2 x KEPT the middle is dropped."""
        self.total += len(data)
        self._kept += data
        excess = len(self._kept) - 2 * KEPT
        if excess > KEPT // 4:
            del self._kept[KEPT : KEPT + excess]
            self._dropped += excess

    def since(self, position: int) -> bytes:
        """The kept bytes from `position` (a former `total`) on."""
        if position <= KEPT:
            return bytes(self._kept[position:])
        return bytes(self._kept[max(KEPT, position - self._dropped) :])


def _plain_terminal(slave: int) -> None:
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(slave)
    lflag &= ~(termios.ECHO | termios.ECHONL)
    lflag |= termios.ICANON | termios.ISIG
    oflag &= ~termios.OPOST  # "\n" stays "\n"
    termios.tcsetattr(slave, termios.TCSANOW, [iflag, oflag, cflag, lflag, ispeed, ospeed, cc])
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))


def _child_setup(file_limit: int) -> Callable[[], None]:
    def setup() -> None:
        # Between fork and exec: make the terminal (fd 0) the controlling one, so that Ctrl-C and
        # getpass work as they do for a person, and bound what a runaway can do.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return setup


def sweep(spared: set[int]) -> list[int]:
    """Kill every descendant of this process but `spared`: what called setsid or lost its parent
    has become our child (kernel.adopt_orphans). Returns the pids that had been left behind."""
    left: list[int] = []
    for _ in range(50):
        found = kernel.family({os.getpid()}) - {os.getpid()} - spared
        if not found:
            break
        for pid in found:
            # Stop the whole family first, or one could fork while another is killed.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        left += found
    return left
