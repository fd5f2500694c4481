"""Who is measured: how each server is started, and how one speaks to it."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import build
from bench.build import Missing
from bench.process import START_TIMEOUT, Failed, Server
from bench.talk import Bytes, Client, Frames, Irc, Json, Relayed

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Contender:
    """A server by name, what starts it, and its clients' dialect."""

    name: str
    start: Callable[[], contextlib.AbstractContextManager[Server]]
    client: Callable[[int], Client]


def ours(milestone: int, *options: str) -> Contender:
    """Return the server of a milestone."""
    folder = next(path.name for path in ROOT.glob(f"milestone{milestone}_*"))
    argv = [sys.executable, "-m", f"{folder}.server", "--quiet", "--host", "127.0.0.1", *options]
    dialect = {1: Bytes, 5: Json}.get(milestone, Frames)
    name = " ".join([f"milestone {milestone}", *options])
    return Contender(name, lambda: running([*argv, "0"]), dialect)


def c_echo() -> Contender:
    """Return the poll() echo server in C."""
    return Contender("poll() in C", lambda: running([build.program("echo")]), Bytes)


def c_relay(group: int) -> Contender:
    """Return the C server that passes everything on unread: the load generator's ceiling."""
    return Contender("relay in C", lambda: running([build.program("relay"), str(group)]), Relayed)


def asyncio_echo(loop: str = "asyncio") -> Contender:
    """Return an echo server on asyncio or uvloop."""
    return Contender(loop, lambda: python_peer("asyncio_echo", loop, loop=loop), Bytes)


def asyncio_chat(style: str, loop: str = "asyncio") -> Contender:
    """Return a server of private messages on asyncio or uvloop."""
    return Contender(
        f"{loop} {style}", lambda: python_peer("asyncio_chat", style, loop, loop=loop), Frames
    )


def ngircd() -> Contender:
    """Return ngircd, with nothing that would slow it down."""
    return Contender("ngircd", running_ngircd, Irc)


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[Server]:
    """Run a server that prints the port it took."""
    server = Server(argv, cwd=ROOT)
    try:
        yield server
    finally:
        server.stop()


def python_peer(
    module: str, *arguments: str, loop: str
) -> contextlib.AbstractContextManager[Server]:
    """Run a server of `bench.peers`. Raises Missing."""
    if loop == "uvloop" and importlib.util.find_spec("uvloop") is None:
        raise Missing("uvloop is not installed: pip install '.[bench]', as `make bench` does")
    return running([sys.executable, "-m", f"bench.peers.{module}", *arguments])


NGIRCD = """\
[Global]
Name = irc.example.net
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"""


@contextlib.contextmanager
def running_ngircd() -> Iterator[Server]:
    """Run ngircd on a free port, penalties off. Raises Missing."""
    binary = build.installed("ngircd", "ngircd")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="bench-ngircd-"))
    folder.chmod(0o755)  # it gives up root's rights
    config = folder / "ngircd.conf"
    config.write_text(NGIRCD.format(port=port))
    server = Server([binary, "--nodaemon", "--config", str(config)], port=port)
    try:
        wait_for(port)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise Failed(f"nobody listens on port {port}") from None
            time.sleep(0.05)
        else:
            return
