"""A frame taken apart: every field with its place, its value and its bytes, and what is odd.

Works on whatever came, whole or not; nothing that a peer sent raises an exception here. The hints
name what students' frames really get wrong: byte order, a missing NUL, a length that does not fit
what follows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from common.framing import HEADER_SIZE, INFOS_LEN, NICK_LEN, MessageType, decode_header

from .text import one_line

INT = 4
OFFSETS = {
    "pld_len": (0, INT),
    "nick_sender": (INT, NICK_LEN),
    "type": (INT + NICK_LEN, INT),
    "infos": (INT + NICK_LEN + INT, INFOS_LEN),
}
"""Field -> offset and size in bytes, in the order of the struct."""
SENSIBLE = 1 << 20
"""Payloads in bytes beyond which a length is more likely a mistake, files left aside."""
MOST_FRAMES = 12
"""Frames that are taken out of one piece of bytes."""
SHOWN_BYTES = 24
SHOWN_TEXT = 160


@dataclass(frozen=True)
class Field:
    """One field of the header, or the payload."""

    name: str
    offset: int
    size: int
    value: str
    bytes: str


@dataclass(frozen=True)
class Frame:
    """One frame, or what came of it."""

    name: str
    """Its type by name; `no frame` where too little came."""
    summary: str
    """Type and text in one line, for an arrow."""
    fields: list[Field] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    whole: bool = True


def dissect(data: bytes, size: int | None = None) -> list[Frame]:
    """Take apart what was sent or received: `size` bytes, of which `data` are the first."""
    total = max(len(data), size or 0)
    frames: list[Frame] = []
    at = 0
    while at < len(data) and len(frames) < MOST_FRAMES:
        frame, length = _frame(data[at:], total - at)
        frames.append(frame)
        at += length
    return frames


def _frame(data: bytes, total: int) -> tuple[Frame, int]:
    """The frame at the start of `data`, and its length in bytes."""
    if len(data) < HEADER_SIZE:
        return _fragment(data, total), len(data)
    header = decode_header(data)
    followed = total - HEADER_SIZE
    announced = header.pld_len if 0 <= header.pld_len <= followed else followed
    if header.pld_len < 0:
        announced = 0
    if 0 <= header.pld_len < followed and not _begins_a_header(data[HEADER_SIZE + announced :]):
        announced = followed  # the rest is no frame of its own: it belongs here, unannounced
    payload = data[HEADER_SIZE : HEADER_SIZE + announced]
    name = type_name(header.type)
    fields = [_header_field(data, one) for one in OFFSETS]
    if announced:
        text = quoted(payload.decode("utf-8", "replace"))
        fields.append(Field("payload", HEADER_SIZE, announced, text, hexed(payload)))
    said = payload.decode("utf-8", "replace") if announced else header.infos
    if "\ufffd" in said:
        said = f"({len(payload)} bytes)"
    frame = Frame(
        name,
        f"{name} {one_line(said, SHOWN_TEXT)}".strip(),
        fields,
        list(_hints(data, followed, payload)),
        whole=0 <= header.pld_len <= followed,
    )
    return frame, HEADER_SIZE + announced


def _fragment(data: bytes, total: int) -> Frame:
    """Less than a header: the fields that came, or the bare bytes where they look like text."""
    hint = f"only {total} of the header's {HEADER_SIZE} bytes came"
    text = data.split(b"\0", 1)[0]
    if len(text) >= INT and text.isascii() and text.decode().strip().isprintable():
        hint += ": they begin with text, where a header begins with pld_len"
        value = quoted(data.decode("utf-8", "replace"))
        fields = [Field("bytes", 0, total, value, hexed(data))]
    else:
        fields = [_header_field(data, name) for name in OFFSETS if OFFSETS[name][0] < len(data)]
    return Frame("no frame", f"{total} bytes", fields, [hint], whole=False)


def _header_field(data: bytes, name: str) -> Field:
    offset, size = OFFSETS[name]
    raw = data[offset : offset + size]
    if len(raw) < size:
        value = f"cut off after {len(raw)} of {size} bytes"
    elif name == "pld_len":
        value = str(number_at(raw))
    elif name == "type":
        number = number_at(raw)
        value = f"{number} ({MessageType(number).name if _is_known(number) else 'unknown'})"
    else:
        value = quoted(raw.split(b"\0", 1)[0].decode("utf-8", "replace"))
    return Field(name, offset, size, value, hexed(raw))


# -- what is odd ------------------------------------------------------------------------------


def _hints(data: bytes, followed: int, payload: bytes) -> Iterator[str]:
    yield from _about_length(number_at(data), followed, payload)
    yield from _about_type(data)
    for name in ("nick_sender", "infos"):
        yield from _about_string(name, data)
    if payload.endswith(b"\0"):
        yield "the payload ends with a NUL that pld_len counts: text is sent without its NUL"


def _about_length(number: int, followed: int, payload: bytes) -> Iterator[str]:
    other = swapped(number)
    plausible = 0 < other <= SENSIBLE and (number < 0 or number > SENSIBLE)
    if plausible and number != followed:
        yield (
            f"pld_len {number} is {other} with its bytes swapped: "
            "the header's numbers are little-endian"
        )
    elif number < 0:
        yield f"pld_len {number} is negative: a frame without payload has 0"
    elif number > followed:
        yield (
            f"pld_len is {number - followed} more than what followed "
            f"({followed} bytes, {number} announced)"
        )
    elif number < len(payload):
        yield (
            f"pld_len is {followed - number} less than what followed "
            f"({followed} bytes, {number} announced)"
        )


def _about_type(data: bytes) -> Iterator[str]:
    offset, _ = OFFSETS["type"]
    number = number_at(data[offset:])
    if _is_known(number):
        return
    other = swapped(number)
    if _is_known(other):
        yield f"type {number} is {other} ({MessageType(other).name}) with its bytes swapped"
    else:
        last = max(MessageType)
        yield f"type {number} is not in the list (0 to {int(last)}): do the fields stand elsewhere?"


def _about_string(name: str, data: bytes) -> Iterator[str]:
    offset, size = OFFSETS[name]
    raw = data[offset : offset + size]
    text, nul, rest = raw.partition(b"\0")
    if not nul:
        yield f"no NUL in {name}: all its {size} bytes are full"
    elif rest.strip(b"\0"):
        yield f"garbage behind the NUL of {name}: a reader must stop at the first NUL"
    if text != text.strip():
        yield f"{name} begins or ends with a blank or a newline"
    try:
        text.decode()
    except UnicodeDecodeError:
        yield f"{name} is no UTF-8"


def _begins_a_header(data: bytes) -> bool:
    """True when these bytes may be the next frame; an incomplete header may be, too."""
    if len(data) < HEADER_SIZE:
        return len(data) >= INT and 0 <= number_at(data) <= SENSIBLE
    offset, _ = OFFSETS["type"]
    return _is_known(number_at(data[offset:])) or 0 <= number_at(data) <= SENSIBLE


# -- numbers, names, bytes --------------------------------------------------------------------


def number_at(data: bytes) -> int:
    """The 32-bit little-endian number at the start of `data`."""
    return int(struct.unpack_from("<i", data)[0])


def swapped(number: int) -> int:
    """The number that has the same four bytes in the other order."""
    return int(struct.unpack(">i", struct.pack("<i", number))[0])


def type_name(number: int) -> str:
    """A type's name, or its number where it has none."""
    return MessageType(number).name if _is_known(number) else f"type {number}"


def _is_known(number: int) -> bool:
    return number in MessageType._value2member_map_


def hexed(data: bytes) -> str:
    """Bytes in hexadecimal, at most SHOWN_BYTES of them; zeros at the end are counted only."""
    text = data.rstrip(b"\0")
    zeros = len(data) - len(text)
    if zeros < 8:
        text, zeros = data, 0
    shown = " ".join(f"{byte:02x}" for byte in text[:SHOWN_BYTES])
    if len(text) > SHOWN_BYTES:
        shown += f" ... {len(text) - SHOWN_BYTES} more"
    return f"{shown} 00 x {zeros}".strip() if zeros else shown


def quoted(text: str) -> str:
    """Text in quotes, on one line."""
    return f'"{one_line(text, SHOWN_TEXT)}"'
