"""1 GiB from user to user, beside the tools that one would take to measure or to copy.

Files lie in memory (/dev/shm) where there is room, so that no disk is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import build, contenders
from bench.build import Missing
from bench.process import Failed, memory_of, prefer
from bench.rows import Form, Row, say

GIB = 1 << 30
TIMEOUT = 120.0
CLIENT = contenders.ROOT / "milestone4_p2p" / "client.py"


class Chatter:
    """One of milestone 4's clients, its keyboard and screen on pipes."""

    def __init__(self, port: int, folder: Path) -> None:
        folder.mkdir()
        self._seen = ""
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, CLIENT, "127.0.0.1", str(port)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        prefer(self.process.pid)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while text := os.read(self.process.stdout.fileno(), 65536).decode(errors="replace"):
            with self._changed:
                self._seen += text
                self._changed.notify_all()

    def types(self, line: str) -> None:
        """Type one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def sees(self, text: str) -> None:
        """Wait until a text has appeared."""
        with self._changed:
            if not self._changed.wait_for(lambda: text in self._seen, TIMEOUT):
                raise Failed(f"no {text!r} on the screen, but: {self._seen[-300:]!r}")

    def end(self) -> None:
        """End the client."""
        self.process.kill()
        self.process.wait()


def one_gib(form: Form) -> list[Row]:
    """Measure milestone 4, iperf3, nc and socat in turn."""
    row = Row("file", "1 GiB over loopback", "GiB/s")
    ways: list[tuple[str, Callable[[Path, Path], dict[str, float]]]] = [
        ("milestone 4, file to file", by_milestone4),
        ("iperf3, memory to memory", by_iperf3),
        ("iperf3, file to file", by_iperf3_files),
        ("nc, file to file", by_nc),
        ("socat, file to file", by_socat),
    ]
    with workplace(row) as folder:
        if folder is None:
            return [row]
        source = folder / "source"
        block = os.urandom(1 << 20)
        with source.open("wb") as file:
            for _ in range(GIB // len(block)):
                file.write(block)
        say(f"file: 1 GiB in {folder}")
        prefer(os.getpid())
        for number in range(form.rounds):
            for name, send in ways:
                place = folder / f"{number}-{name.split(',')[0]}"
                place.mkdir(exist_ok=True)
                try:
                    row.add(name, send(source, place))
                except Missing as missing:
                    row.absent[name] = str(missing)
                except (Failed, OSError, subprocess.SubprocessError) as failed:
                    row.absent[name] = f"failed: {failed}"
                    say(f"  {name} failed: {failed}")
                shutil.rmtree(place)
    return [row]


@contextlib.contextmanager
def workplace(row: Row) -> Iterator[Path | None]:
    """Yield a folder with room for two copies: in memory, else on disk, else none."""
    for place in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        if place.is_dir() and shutil.disk_usage(place).free > 4 * GIB and free_memory() > 4 * GIB:
            folder = Path(tempfile.mkdtemp(prefix="bench-", dir=place))
            try:
                yield folder
            finally:
                shutil.rmtree(folder)
            return
    row.absent["all"] = "needs 4 GiB of free memory and of space in /dev/shm or TMPDIR"
    yield None


def free_memory() -> int:
    """Return the bytes of memory that programs can still have."""
    return int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024


def by_milestone4(source: Path, place: Path) -> dict[str, float]:
    """Send with /send from one client to another; look at the memory of both."""
    with contenders.ours(4).start() as server:
        alice, bob = Chatter(server.port, place / "alice"), Chatter(server.port, place / "bob")
        try:
            for chatter, name in ((alice, "alice"), (bob, "bob")):
                chatter.sees("login")
                chatter.types(f"/nick {name}")
                chatter.sees("Welcome")
            before = [memory_of(chatter.process.pid) for chatter in (alice, bob)]
            alice.types(f"/send bob {source}")
            bob.sees("[Y/N]")
            start = time.monotonic()
            bob.types("y")
            alice.sees("has received the file")
            seconds = time.monotonic() - start
            after = [memory_of(chatter.process.pid, "VmHWM") for chatter in (alice, bob)]
        finally:
            alice.end()
            bob.end()
    check_size(place / "bob" / "inbox" / source.name)
    return {
        "rate": 1 / seconds,
        "growth": max(now - then for now, then in zip(after, before, strict=True)),
    }


def by_iperf3(source: Path, place: Path) -> dict[str, float]:
    """Let iperf3 send 1 GiB from memory to memory."""
    return iperf3([], [])


def by_iperf3_files(source: Path, place: Path) -> dict[str, float]:
    """Let iperf3 send a file into a file."""
    return iperf3(["--file", str(place / "copy")], ["--file", str(source)])


def iperf3(server_options: list[str], client_options: list[str]) -> dict[str, float]:
    """Run both ends of iperf3."""
    binary = build.installed("iperf3", "iperf3")
    port = str(free_port())
    common = [binary, "--port", port]
    receiver = start([*common, "--server", "--one-off", *server_options])
    try:
        wait_until_listening(int(port), receiver)
        done = subprocess.run(
            [*common, "--client", "127.0.0.1", "--bytes", "1G", "--json", *client_options],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        told = json.loads(done.stdout)
        if "error" in told:
            raise Failed(told["error"])
        received = told["end"]["sum_received"]
        return {"rate": received["bytes"] / received["seconds"] / GIB}
    finally:
        finish(receiver)


def by_nc(source: Path, place: Path) -> dict[str, float]:
    """Let nc send a file into a file."""
    binary = build.installed("nc", "netcat-openbsd")
    port = str(free_port())
    return copied(
        [binary, "-l", "127.0.0.1", port],
        [binary, "-N", "127.0.0.1", port],
        (source, place / "copy", int(port)),
    )


def by_socat(source: Path, place: Path) -> dict[str, float]:
    """Let socat send a file into a file, with pieces of 1 MiB as we do."""
    binary = build.installed("socat", "socat")
    port = str(free_port())
    return copied(
        [binary, "-u", "-b1048576", f"TCP-LISTEN:{port},bind=127.0.0.1", "STDOUT"],
        [binary, "-u", "-b1048576", "STDIN", f"TCP:127.0.0.1:{port}"],
        (source, place / "copy", int(port)),
    )


def copied(receive: list[str], send: list[str], files: tuple[Path, Path, int]) -> dict[str, float]:
    """Time a receiver and a sender from the sender's start to the receiver's end."""
    source, copy, port = files
    with source.open("rb") as reading, copy.open("wb") as writing:
        receiver = start(receive, stdout=writing.fileno())
        try:
            wait_until_listening(port, receiver)
            begin = time.monotonic()
            subprocess.run(send, stdin=reading, timeout=TIMEOUT, check=True)
            receiver.wait(TIMEOUT)
            seconds = time.monotonic() - begin
        finally:
            finish(receiver)
    check_size(copy)
    return {"rate": 1 / seconds}


def start(argv: list[str], stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a receiving end."""
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """End it, if it has not."""
    if process.poll() is None:
        process.kill()
    process.wait()


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens, without connecting: it would take us for the sender."""
    wanted = f":{port:04X} "
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
        if any(
            wanted in line.split(" 0A ")[0]
            for table in tables
            for line in table.splitlines()
            if " 0A " in line
        ):
            return
        time.sleep(0.02)
    raise Failed(f"{process.args!r} does not listen")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_size(path: Path) -> None:
    """Make sure that everything arrived."""
    if path.stat().st_size != GIB:
        raise Failed(f"{path.name}: {path.stat().st_size} of {GIB} bytes arrived")
