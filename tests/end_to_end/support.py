"""Small tools for tests with real processes: servers, frames on the wire, clients on terminals."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from common.framing import Decoder, Message, MessageType, NeedMore, encode
from demo.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    1: "milestone1_echo",
    2: "milestone2_users",
    3: "milestone3_rooms",
    4: "milestone4_p2p",
}
DEADLINE = 20.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds that no event tells about."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.01)


class Server:
    """A milestone's server on a free port."""

    def __init__(self, milestone: int, cwd: Path, *options: str, descriptors: int = 0) -> None:
        self.log_file = cwd / "server.log"

        def limit() -> None:
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"{PACKAGES[milestone]}.server", *options, "0"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                preexec_fn=limit,
                text=True,
            )
        assert self.process.stdout is not None
        self.announcement = self.process.stdout.readline()
        self.port = int(self.announcement.split("port ")[1].split(".")[0])

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def cpu_ticks(self) -> int:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(DEADLINE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


class Wire:
    """A user who speaks frames with a server, without a client program."""

    def __init__(self, port: int, host: str = "127.0.0.1", receive_buffer: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(DEADLINE)
        self.sock.connect((host, port))
        self.decoder = Decoder(max_payload=1 << 20)
        self.name = ""

    def send(self, kind: int, infos: str = "", payload: bytes = b"", nick: str = "") -> None:
        self.sock.sendall(encode(Message(kind, nick or self.name, infos, payload)))

    def receive(self) -> Message | None:
        """Return the next message; None when the server has closed."""
        while isinstance(message := self.decoder.next_message(), NeedMore):
            data = self.sock.recv(65536)
            if not data:
                return None
            self.decoder.receive_data(data)
        return message

    def expect(self, text: str) -> Message:
        """Read on until a message has `text` in its payload."""
        seen = []
        while (message := self.receive()) is not None:
            seen.append(message)
            if text in message.text:
                return message
        raise AssertionError(f"closed without {text!r}; there was {seen}")

    def login(self, name: str) -> Wire:
        self.send(MessageType.NICKNAME_NEW, name)
        assert self.expect(f"Welcome on the chat {name}").infos == name
        self.name = name
        return self

    def fence(self) -> list[Message]:
        """Make a round trip; return what came before its end."""
        token = f"fence {time.monotonic_ns()}"
        self.send(MessageType.UNICAST_SEND, "nobodyofthatname", token.encode())
        seen: list[Message] = []
        while (message := self.receive()) is not None:
            if "nobodyofthatname does not exist" in message.text:
                return seen
            seen.append(message)
        raise AssertionError("closed during a fence")

    def reset(self) -> None:
        """Leave with a reset instead of a farewell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


class Chat:
    """A server and everybody who talks to it; everything ends with the test."""

    def __init__(self, milestone: int, tmp_path: Path, *options: str, descriptors: int = 0) -> None:
        self.milestone = milestone
        self.tmp_path = tmp_path
        self.server = Server(milestone, tmp_path, *options, descriptors=descriptors)
        self.wires: list[Wire] = []
        self.terminals: list[Terminal] = []

    def wire(self, name: str = "", **options: int) -> Wire:
        """Connect; with a name, log in."""
        wire = Wire(self.server.port, **options)  # type: ignore[arg-type]
        self.wires.append(wire)
        return wire.login(name) if name else wire

    def directory(self, who: str) -> Path:
        """Return the working directory of somebody's client."""
        path = self.tmp_path / who
        path.mkdir(exist_ok=True)
        return path

    def terminal(self, who: str, *options: str, limit: str = "") -> Terminal:
        """Start a client on a pseudo-terminal; with milestone 2 and up, log in as `who`.

        `limit` is a shell command before it, such as `ulimit -f 8`.
        """
        script = ROOT / PACKAGES[self.milestone] / "client.py"
        command = [sys.executable, str(script), *options, "localhost", str(self.server.port)]
        if limit:
            command = ["sh", "-c", f'{limit}; exec "$@"', "sh", *command]
        terminal = Terminal(command, self.directory(who))
        self.terminals.append(terminal)
        if self.milestone > 1:
            terminal.expect("please login")
            terminal.type(f"/nick {who}\n")
            terminal.expect(f"Welcome on the chat {who}")
            terminal.expect(f"{who}> ")
        return terminal

    def close(self) -> None:
        for terminal in self.terminals:
            terminal.close()
        for wire in self.wires:
            with contextlib.suppress(OSError):
                wire.close()
        status = self.server.stop(signal.SIGTERM)
        assert "Traceback" not in self.server.log, self.server.log
        assert status in (0, -signal.SIGKILL), f"the server ended with {status}"


@contextlib.contextmanager
def chat(milestone: int, tmp_path: Path, *options: str, descriptors: int = 0) -> Iterator[Chat]:
    """Run a milestone's server for as long as the block lasts."""
    running = Chat(milestone, tmp_path, *options, descriptors=descriptors)
    try:
        yield running
    finally:
        running.close()
