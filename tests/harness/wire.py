"""The wire stage: an actor who speaks raw bytes or frames to the server under test.

The adversarial wire is cut here: whole, in given pieces, byte by byte (the next byte only when
the server has taken the last: a cut is real only if it was read), several frames in one segment,
half-closed, reset, or not read at all.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

from common.framing import (
    HEADER_SIZE,
    INFOS_LEN,
    NICK_LEN,
    Decoder,
    Header,
    Message,
    MessageType,
    NeedMore,
    ProtocolError,
    decode_header,
    encode,
    encode_header,
)

from . import kernel, screen
from .actor import Actor
from .failures import NotReady
from .process import Record

if TYPE_CHECKING:
    from .play import Play

SMALL_BUFFER = 4096
"""SO_RCVBUF in bytes of an actor who does not read."""
LARGEST = 1 << 20
"""Largest payload in bytes that the harness takes for one."""


class Wire:
    """A TCP connection to the server, served by the play. Raises NotReady when refused."""

    def __init__(
        self,
        play: Play,
        name: str,
        *,
        host: str = "",
        port: int = 0,
        small: bool = False,
        peer: str = "server",
    ) -> None:
        self.play = play
        self.name = name
        self.peer = peer  # who is at the other end
        self.received = Record()
        self.sent = 0
        self.ended = ""  # how the other side ended the connection: "closed", "reset"
        self.reading = True
        self._unsent = bytearray()
        family = socket.AF_INET6 if ":" in (host or play.host) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        try:
            self.socket.connect((host or play.host, port or play.port))
        except OSError as error:
            self.socket.close()
            raise NotReady(
                ("1.2",), "the server accepts a connection", f"{error}. {play.what_ended()}"
            ) from None
        self.socket.setblocking(False)
        self.local_port: int = self.socket.getsockname()[1]
        play.add(self)

    # -- served by the play -------------------------------------------------------------------

    def descriptors(self) -> dict[int, int]:
        """The socket, for what it waits for now."""
        if self.socket.fileno() < 0:
            return {}
        events = 0
        if self.reading and not self.ended:
            events |= select.POLLIN
        if self._unsent:
            events |= select.POLLOUT
        return {self.socket.fileno(): events} if events else {}

    def on_ready(self, fd: int) -> bool:
        """Send what waits, take what came."""
        moved = self._send_some()
        if self.reading and not self.ended:
            with contextlib.suppress(BlockingIOError):
                try:
                    data = self.socket.recv(262144)
                except ConnectionError:
                    self._note_end("reset")
                    return True
                if not data:
                    self._note_end("closed")
                else:
                    self.received.append(data)
                    self.on_data(data)
                return True
        return moved

    def _note_end(self, how: str) -> None:
        self.ended = how
        whom = "the server" if self.peer == "server" else self.peer
        self.play.did("ends", self.name, f"the connection was {how} by {whom}")

    def on_data(self, data: bytes) -> None:
        """Bytes came."""
        self.play.moved_bytes("gets", self.name, data, self.peer)

    def _send_some(self) -> bool:
        if not self._unsent:
            return False
        try:
            count = self.socket.send(self._unsent)
        except BlockingIOError:
            return False
        except OSError:
            self._unsent.clear()
            self.ended = self.ended or "reset"
            return True
        del self._unsent[:count]
        self.sent += count
        self.play.bytes_sent += count
        return count > 0

    # -- what an actor does with it -----------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send in one piece (as one segment, if it is small)."""
        self.play.moved_bytes("sends", self.name, data, self.peer)
        self._unsent += data
        self._send_some()

    def send_all(self, data: bytes, seconds: float = 3.0) -> bool:
        """Send and wait until the kernel has taken everything; False when it does not."""
        self.send(data)
        return self.play.wait_for(lambda: not self._unsent or bool(self.ended), seconds)

    def send_in_pieces(self, *pieces: bytes, seconds: float = 5.0) -> None:
        """Send the pieces one by one, each only when the server has read the one before; the
        whole of it in so many seconds, for a server that is blocked elsewhere never reads."""
        deadline = time.monotonic() + seconds
        for piece in pieces:
            self.send(piece)
            while self._waits_in_the_server() and time.monotonic() < deadline and not self.ended:
                self.play.pump(0.0005)

    def send_byte_by_byte(self, data: bytes) -> None:
        """Send single bytes, each only when the server has read the one before."""
        self.send_in_pieces(*(data[i : i + 1] for i in range(len(data))))

    def _waits_in_the_server(self) -> bool:
        self.play.pump(0)
        return bool(self._unsent) or any(
            row.remote_port == self.local_port and row.receive_queue for row in kernel.connections()
        )

    def stop_reading(self) -> None:
        """Take nothing more from now on; our queue is no sign of unrest then."""
        self.reading = False
        self.play.unread_ports.add(self.local_port)

    def read_again(self) -> None:
        """Take what has gathered, in larger pieces than before."""
        self.reading = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.play.unread_ports.discard(self.local_port)

    def half_close(self) -> None:
        """Send FIN: nothing more comes from here, but we still read (shutdown(2))."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close in the ordinary way."""
        self.socket.close()

    def reset(self) -> None:
        """Close with RST instead of FIN: a linger time of zero (socket(7))."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class WireUser(Actor):
    """An actor of milestone 1 without a client: lines go out as raw bytes."""

    def __init__(self, play: Play, name: str, *, host: str = "", small: bool = False) -> None:
        super().__init__(play, name)
        self._mark = 0
        play.acts(name, "connects")
        self.wire = self._connect(host, small)
        self.arrived = True
        play.settle()

    def _connect(self, host: str, small: bool) -> Wire:
        return Wire(self.play, self.name, host=host, small=small)

    def types(self, line: str) -> None:
        """Send the line and a newline."""
        self.play.settle()
        self.play.acts(self.name, f"sends the line `{screen.shorten(line)}`")
        self.wire.send_all(line.encode() + b"\n")

    def mark(self) -> None:
        """Everything that arrives from now on belongs to the next deed."""
        self._mark = self.wire.received.total

    def text(self) -> str:
        """All bytes that came, as text."""
        return self.wire.received.since(0).decode("utf-8", "replace")

    def since(self) -> str:
        """The bytes since the last deed, as text."""
        return self.wire.received.since(self._mark).decode("utf-8", "replace")

    @property
    def connected(self) -> bool:
        """True until the server closes or resets the connection."""
        return not self.wire.ended and self.wire.socket.fileno() >= 0

    def endpoint(self) -> tuple[str, int]:
        """Our own end of the connection."""
        host, port = self.wire.socket.getsockname()[:2]
        return host, port

    def vanishes(self) -> None:
        """Reset the connection."""
        self.play.settle()
        self.play.acts(self.name, "vanishes (the connection is reset)")
        self.wire.reset()
        self.play.settle()

    def leaves(self) -> bool:
        """Close the connection, as `/quit` does outside a room."""
        self.play.settle()
        self.play.acts(self.name, "closes the connection")
        self.wire.close()
        self.play.settle()
        return True

    def transcript(self) -> str:
        """What came, printable."""
        return screen.printable(self.wire.received.since(0))


class FrameWire(Wire):
    """A connection whose bytes are read as frames, leniently, as they come."""

    def __init__(self, play: Play, name: str, *, host: str = "", small: bool = False) -> None:
        self.frames: list[tuple[int, Message]] = []  # (bytes received before it, frame)
        self.garbled = ""  # why the bytes cannot be frames
        self._decoder = Decoder(LARGEST, strict=False)
        self._undecoded = bytearray()
        super().__init__(play, name, host=host, small=small)

    def on_data(self, data: bytes) -> None:
        """Put the bytes together to frames."""
        if self.garbled:
            self.play.moved_bytes("gets", self.name, data)
            return
        self._decoder.receive_data(data)
        self._undecoded += data
        try:
            while not isinstance(message := self._decoder.next_message(), NeedMore):
                self.frames.append((self.received.total, message))
                self._got(len(self._undecoded) - self._decoder.pending, message.text)
        except ProtocolError as error:
            self.garbled = str(error)
            self.note_rest()

    def note_rest(self) -> None:
        """Write down the bytes that have come and are no whole frame."""
        if self._undecoded:
            self._got(len(self._undecoded), "")

    def _got(self, size: int, text: str) -> None:
        data = bytes(self._undecoded[:size])
        del self._undecoded[:size]
        self.play.did("gets", self.name, screen.shorten(text, 300), data)

    def incomplete(self) -> int:
        """Bytes that came behind the last whole frame."""
        return self._decoder.pending


class FrameUser(WireUser):
    """An actor of milestones 2 to 4 who speaks the official frames.

    What is typed becomes the frame that protocol.md prescribes for it. Nothing is demanded of the
    answers here but that what was promised can be found in them: requirement 2.0 has checks of
    its own for their form.
    """

    wire: FrameWire

    def __init__(self, play: Play, name: str, *, host: str = "", small: bool = False) -> None:
        self.nick = ""
        self.room = ""
        super().__init__(play, name, host=host, small=small)

    def _connect(self, host: str, small: bool) -> FrameWire:
        return FrameWire(self.play, self.name, host=host, small=small)

    def logs_in(self) -> None:
        """NICKNAME_NEW with the actor's name."""
        self.types(f"/nick {self.name}")
        self.play.settle()

    def types(self, line: str) -> None:
        """Send the frame that a client sends for this line."""
        message = self.frame_for(line)
        self.play.settle()
        if message is None:
            self.leaves()
            return
        self.sends(message, f"types `{screen.shorten(line)}`")

    def tries(self, line: str) -> None:
        """Send the frame for a line that is expected to be refused: name and room stay."""
        nick, room = self.nick, self.room
        self.types(line)
        self.nick, self.room = nick, room

    def sends(self, message: Message, deed: str = "") -> None:
        """Send one frame."""
        kind = MessageType(message.type).name
        self.play.acts(self.name, f"{deed or 'sends a frame'} ({kind})")
        self.wire.send_all(encode(message))

    def frame_for(self, line: str) -> Message | None:
        """The frame for a typed line (protocol.md); None for `/quit` outside a room."""
        command, _, rest = line.partition(" ")
        first, _, text = rest.partition(" ")
        kind = _COMMANDS.get(command)
        if command == "/nick":
            frame = Message(MessageType.NICKNAME_NEW, self.nick, rest)
            self.nick = rest
            return frame
        if command == "/quit":
            room, self.room = self.room, ""
            return Message(MessageType.MULTICAST_QUIT, self.nick, room) if room else None
        if command == "/whoami":
            return Message(MessageType.NICKNAME_INFOS, self.nick, self.nick)
        if command == "/msgall":
            return Message(MessageType.BROADCAST_SEND, self.nick, "", rest.encode())
        if command in ("/create", "/join"):
            self.room = rest
            return Message(_COMMANDS[command], self.nick, rest)
        if kind is not None:
            return Message(kind, self.nick, first, text.encode())
        if self.room:
            return Message(MessageType.MULTICAST_SEND, self.nick, self.room, line.encode())
        return Message(MessageType.ECHO_SEND, self.nick, "", line.encode())

    def text(self) -> str:
        """The frames' fields and payloads; the bare bytes as well where they are no frames."""
        return self._text_from(0)

    def since(self) -> str:
        """The same, since the last deed."""
        return self._text_from(self._mark)

    def _text_from(self, position: int) -> str:
        # What stands behind the NUL of a field is garbage and no message: it may hold an old
        # secret. So bare bytes are searched only where they cannot be read as frames.
        wire = self.wire
        sane = not wire.garbled and all(0 <= frame.type < 64 for _, frame in wire.frames)
        raw = wire.received.since(position).replace(b"\0", b" ").decode("utf-8", "replace")
        if not sane:
            return raw
        parts = [
            f"{frame.nick_sender} {frame.infos} {frame.text}\n"
            for at, frame in wire.frames
            if at > position
        ]
        rest = wire.incomplete()
        return "".join(parts) + (raw[-rest:] if rest else "")


_COMMANDS = {
    "/who": MessageType.NICKNAME_LIST,
    "/whois": MessageType.NICKNAME_INFOS,
    "/msg": MessageType.UNICAST_SEND,
    "/create": MessageType.MULTICAST_CREATE,
    "/join": MessageType.MULTICAST_JOIN,
    "/channel_list": MessageType.MULTICAST_LIST,
}


def raw_header(pld_len: int, nick: bytes, kind: int, infos: bytes, garbage: bytes = b"\0") -> bytes:
    """A header made by hand: fields without NUL, or with garbage behind it, which our own
    encoder would never send."""
    header = bytearray(encode_header(Header(pld_len, "", kind, "")))
    for offset, size, field in ((4, NICK_LEN, nick), (136, INFOS_LEN, infos)):
        filled = field if len(field) == size else (field + b"\0").ljust(size, garbage)
        header[offset : offset + size] = filled
    return bytes(header)


def describe(data: bytes) -> dict[str, object]:
    """The frame at the start of some bytes, for the report; empty where there is none."""
    if len(data) < HEADER_SIZE:
        return {}
    header = decode_header(data)
    payload = data[HEADER_SIZE : HEADER_SIZE + max(0, header.pld_len)]
    known = isinstance(header.type, MessageType)
    return {
        "type": MessageType(header.type).name if known else f"type {header.type}",
        "nick_sender": header.nick_sender,
        "infos": header.infos,
        "pld_len": header.pld_len,
        "payload": screen.shorten(payload.decode("utf-8", "replace"), 200),
    }
