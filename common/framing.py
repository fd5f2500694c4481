"""Frames: one fixed header, then `pld_len` payload bytes (requirement 2.0).

TCP carries a stream of bytes, not messages: what one side sends in one piece may arrive in
several, and several may arrive in one. A frame says how long it is, so the receiver can put the
pieces together again, wherever they were cut.

Rules of this file:
- No socket, no clock, no file: bytes go in, messages come out. So the same code serves server,
  client, tests and fuzzer alike.
- The header's layout is known here and nowhere else.
- A peer can cause exactly one exception: ProtocolError.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

NICK_LEN: Final = 128
"""Bytes of the header's `nick_sender` field."""
INFOS_LEN: Final = 128
"""Bytes of the header's `infos` field."""
MAX_TEXT: Final = 64 * 1024
"""Largest text payload in bytes that the reference takes."""
MAX_LENGTH: Final = 2**31 - 1
"""Largest value of `pld_len`, a signed 32-bit number."""

# struct message { int pld_len; char nick_sender[128]; enum msg_type type; char infos[128]; };
# as a C compiler lays it out on x86-64 and arm64: little-endian, no padding.
_LAYOUT: Final = struct.Struct(f"<i{NICK_LEN}si{INFOS_LEN}s")
HEADER_SIZE: Final = _LAYOUT.size
"""Bytes of the fixed header: 264."""


class MessageType(IntEnum):
    """The header's `type`, in the order that the course prescribes."""

    NICKNAME_NEW = 0
    NICKNAME_LIST = 1
    NICKNAME_INFOS = 2
    ECHO_SEND = 3
    UNICAST_SEND = 4
    BROADCAST_SEND = 5
    MULTICAST_CREATE = 6
    MULTICAST_LIST = 7
    MULTICAST_JOIN = 8
    MULTICAST_SEND = 9
    MULTICAST_QUIT = 10
    FILE_REQUEST = 11
    FILE_ACCEPT = 12
    FILE_REJECT = 13
    FILE_SEND = 14
    FILE_ACK = 15


_KNOWN_TYPES: Final = {int(member): member for member in MessageType}


class ProtocolError(Exception):
    """The peer sent bytes that cannot be a frame; the connection is of no further use."""


class NeedMore:
    """The type of NEED_MORE, so that type checkers can tell it from a message."""

    def __repr__(self) -> str:
        return "NEED_MORE"


NEED_MORE: Final = NeedMore()
"""What `Decoder.next_message` returns while the next frame is incomplete."""


class Header(NamedTuple):
    """The 264 bytes before a payload, their strings cut at the first NUL and decoded."""

    pld_len: int
    nick_sender: str
    type: int
    infos: str


class Message(NamedTuple):
    """One whole frame. `type` is a MessageType, or a plain int where the peer invented one."""

    type: int
    nick_sender: str = ""
    infos: str = ""
    payload: bytes = b""

    @property
    def text(self) -> str:
        """The payload as text; bytes that are not UTF-8 become U+FFFD."""
        return self.payload.decode("utf-8", "replace")


def encode_header(header: Header) -> bytes:
    """Return the header's 264 bytes.

    Raises ValueError where a string does not fit its field with a NUL behind it (127 bytes of
    UTF-8) or holds a NUL itself, or where a number does not fit 32 signed bits.
    """
    pld_len, nick, kind, infos = header
    return _pack(pld_len, nick, kind, infos)


def decode_header(data: bytes | bytearray | memoryview) -> Header:
    """Read the header at the start of `data`, which holds at least HEADER_SIZE bytes.

    A string ends at its first NUL; what stands behind it is garbage. A field without NUL is full.
    """
    pld_len, nick, kind, infos = _LAYOUT.unpack_from(data)
    return Header(pld_len, _string(nick), _KNOWN_TYPES.get(kind, kind), _string(infos))


def encode(message: Message) -> bytes:
    """Return the whole frame: header and payload (2.0). Raises ValueError as encode_header does."""
    kind, nick, infos, payload = message
    return _pack(len(payload), nick, kind, infos) + payload


class Decoder:
    """Turns a stream of bytes, cut anywhere, into messages (2.0).

    A server is strict: a type that is not in MessageType, or a negative `pld_len`, is a protocol
    error. With `strict=False` (a client, which has to live with other people's servers) an
    unknown type passes as a plain int and a negative length stands for "no payload". A `pld_len`
    above `max_payload` bytes is an error for both, found as soon as the header is there: nobody
    can make us store what we would not accept.
    """

    def __init__(self, max_payload: int = MAX_TEXT, *, strict: bool = True) -> None:
        self._max_payload = max_payload
        self._strict = strict
        self._buffer = bytearray()
        self._start = 0  # the next frame's offset in the buffer
        self._needed = HEADER_SIZE  # bytes from there on without which there is nothing to do

    def receive_data(self, data: bytes) -> None:
        """Append what a `recv` returned. Call `next_message` until it says NEED_MORE."""
        if self._start:
            # Drop the consumed frames once per recv, not once per frame: linear in the input.
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next_message(self) -> Message | NeedMore:
        """Return the next whole message, or NEED_MORE. Raises ProtocolError."""
        buffer, start = self._buffer, self._start
        if len(buffer) - start < self._needed:
            if start and start == len(buffer):
                self.take_rest()  # or a silent peer's last bytes would be kept until it speaks
            return NEED_MORE
        pld_len, nick, kind, infos = _LAYOUT.unpack_from(buffer, start)
        known = _KNOWN_TYPES.get(kind)
        if known is None or not 0 <= pld_len <= self._max_payload:
            pld_len = self._checked_length(pld_len, kind)
        size = HEADER_SIZE + pld_len
        end = start + size
        if len(buffer) < end:
            self._needed = size
            return NEED_MORE
        self._needed = HEADER_SIZE
        self._start = end
        return Message(
            kind if known is None else known,
            _string(nick),
            _string(infos),
            bytes(buffer[start + HEADER_SIZE : end]),
        )

    @property
    def pending(self) -> int:
        """Bytes received that belong to no whole message yet."""
        return len(self._buffer) - self._start

    def take_rest(self) -> bytes:
        """Return and forget the bytes that belong to no whole message yet."""
        rest = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = 0
        self._needed = HEADER_SIZE
        return rest

    def _checked_length(self, pld_len: int, kind: int) -> int:
        if self._strict and kind not in _KNOWN_TYPES:
            raise ProtocolError(f"unknown message type {kind}")
        if pld_len < 0:
            if self._strict:
                raise ProtocolError(f"negative payload length {pld_len}")
            pld_len = 0
        if pld_len > self._max_payload:
            raise ProtocolError(
                f"payload length {pld_len} is more than the {self._max_payload} bytes allowed"
            )
        return pld_len


def _pack(pld_len: int, nick: str, kind: int, infos: str) -> bytes:
    nick_field = _field("nick_sender", nick, NICK_LEN)
    infos_field = _field("infos", infos, INFOS_LEN)
    try:
        return _LAYOUT.pack(pld_len, nick_field, kind, infos_field)
    except struct.error as error:
        raise ValueError(f"pld_len {pld_len} or type {kind}: {error}") from None


def _string(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


@lru_cache(maxsize=1024)  # the same names go out again and again: half of what encoding costs
def _field(name: str, text: str, size: int) -> bytes:
    raw = text.encode("utf-8", "replace")
    if b"\0" in raw:
        raise ValueError(f"{name} holds a NUL: {text!r}")
    if len(raw) >= size:
        raise ValueError(f"{name} is {len(raw)} bytes long, {size - 1} fit: {text[:40]!r}...")
    return raw


def is_known(kind: int) -> bool:
    """Say whether `kind` is one of the 16 message types of the course."""
    return kind in _KNOWN_TYPES
