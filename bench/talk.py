"""What clients say: to log in, to enter a room, to write to somebody, in the dialect of a server.

The load generator knows no protocol. So everything is prepared here: connections that are logged
in and in their rooms, and for each of them the bytes to send and the length of what will come.
"""

from __future__ import annotations

import json
import socket
from abc import ABC, abstractmethod

from bench.process import Failed
from common import framing
from common.framing import Message, MessageType

TIMEOUT = 20.0
"""Seconds for any answer while connections are prepared."""
STAMP = 20
"""Characters of the load generator's stamp in each text."""
TEXT = 64
"""Characters of each text, stamp included."""


def text(stamp: str = "0" * STAMP) -> str:
    """Return a text of TEXT characters that begins with a stamp."""
    return stamp + "." * (TEXT - STAMP)


class Client(ABC):
    """A connection to a server, and how to speak on it. Blocking: only used to prepare."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = ""
        self._data = bytearray()

    @abstractmethod
    def log_in(self, name: str) -> None:
        """Take a name, and wait until it is granted."""

    def enter(self, room: str, *, first: bool) -> None:
        """Go into a room; the first one may have to create it."""
        raise NotImplementedError

    @abstractmethod
    def private(self, to: str) -> bytes:
        """Return the bytes that bring the text to one user."""

    def to_room(self, room: str) -> bytes:
        """Return the bytes that bring the text to all others in a room."""
        raise NotImplementedError

    @abstractmethod
    def fence(self) -> None:
        """Make a round trip and throw away everything up to its answer."""

    @abstractmethod
    def next_delivery(self) -> bytes:
        """Return one delivered message as it came."""

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def take(self, length: int) -> bytes:
        """Return exactly that many bytes."""
        while len(self._data) < length:
            self._fill()
        taken = bytes(self._data[:length])
        del self._data[:length]
        return taken

    def take_line(self) -> bytes:
        """Return one line with its end."""
        while (end := self._data.find(b"\n")) < 0:
            self._fill()
        return self.take(end + 1)

    def _fill(self) -> None:
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            raise Failed(f"no answer within {TIMEOUT:g} seconds; before: {self.shown()}") from None
        if not data:
            raise Failed(f"the server closed the connection; before: {self.shown()}")
        self._data += data

    def shown(self) -> str:
        """Return the last bytes that came, for a message."""
        return repr(bytes(self._data[-200:]))


class Bytes(Client):
    """Milestone 1: what is sent comes back."""

    def log_in(self, name: str) -> None:
        self.name = name

    def private(self, to: str) -> bytes:
        return text()[:-1].encode() + b"\n"

    def fence(self) -> None:
        self.say(b"fence\n")
        self.take(len(b"fence\n"))

    def next_delivery(self) -> bytes:
        return self.take(TEXT)


class Frames(Client):
    """Milestones 2 to 4."""

    def log_in(self, name: str) -> None:
        self.name = name
        self.ask(MessageType.NICKNAME_NEW, name)

    def enter(self, room: str, *, first: bool) -> None:
        self.ask(MessageType.MULTICAST_CREATE if first else MessageType.MULTICAST_JOIN, room)

    def private(self, to: str) -> bytes:
        return self.frame(MessageType.UNICAST_SEND, to, text())

    def to_room(self, room: str) -> bytes:
        return self.frame(MessageType.MULTICAST_SEND, room, text())

    def fence(self) -> None:
        self.say(self.frame(MessageType.ECHO_SEND, "", "fence"))
        while not self.next_delivery().endswith(b"fence"):
            pass

    def next_delivery(self) -> bytes:
        header = self.take(framing.HEADER_SIZE)
        return header + self.take(framing.decode_header(header).pld_len)

    def ask(self, kind: MessageType, infos: str) -> None:
        """Ask the server for something, and wait until it is granted."""
        self.say(self.frame(kind, infos))
        while True:
            frame = self.next_delivery()
            header = framing.decode_header(frame)
            if header.type == kind:
                if header.infos != infos:
                    raise Failed(f"refused: {frame[framing.HEADER_SIZE :]!r}")
                return

    def frame(self, kind: MessageType, infos: str, payload: str = "") -> bytes:
        """Return the bytes of one frame."""
        return framing.encode(Message(kind, self.name, infos, payload.encode()))


class Relayed(Frames):
    """Frames through a server that knows no protocol: there is nothing to ask it."""

    def log_in(self, name: str) -> None:
        self.name = name

    def enter(self, room: str, *, first: bool) -> None:
        pass

    def fence(self) -> None:
        pass


class Irc(Client):
    """ngircd."""

    def log_in(self, name: str) -> None:
        self.name = name
        self.say(f"NICK {name}\r\nUSER {name} 0 * :{name}\r\n".encode())
        while (code := self.take_line().split()[1]) != b"001":
            if code.startswith(b"4"):
                raise Failed(f"refused: {code!r}")
        self.fence()  # the server's welcome has many lines

    def enter(self, room: str, *, first: bool) -> None:
        self.say(f"JOIN #{room}\r\n".encode())
        while self.take_line().split()[1] != b"366":
            pass

    def private(self, to: str) -> bytes:
        return f"PRIVMSG {to} :{text()}\r\n".encode()

    def to_room(self, room: str) -> bytes:
        return self.private(f"#{room}")

    def fence(self) -> None:
        self.say(b"PING fence\r\n")
        while self.take_line().split()[1] != b"PONG":
            pass

    def next_delivery(self) -> bytes:
        return self.take_line()


class Json(Client):
    """Milestone 5."""

    def log_in(self, name: str) -> None:
        self.name = name
        self.ask("update_users", command="login", username=name, password="secret")

    def private(self, to: str) -> bytes:
        return self.encoded(command="DM", to=to, message=text())

    def fence(self) -> None:
        self.ask("active_users", command="WHO")

    def next_delivery(self) -> bytes:
        return self.take_line()

    def ask(self, answer: str, **request: str) -> None:
        """Send an object, and wait for an answer of a type."""
        self.say(self.encoded(**request))
        while json.loads(self.take_line())["type"] != answer:
            pass

    @staticmethod
    def encoded(**request: str) -> bytes:
        """Return the bytes of one object."""
        return json.dumps(request).encode() + b"\n"
