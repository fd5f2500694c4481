"""Frames taken apart: every field in its place, and the usual mistakes named."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.framing import HEADER_SIZE, Header, Message, MessageType, encode, encode_header
from grading.dissect import OFFSETS, Frame, dissect
from grading.text import one_line, visible, why_it_ended

HELLO = encode(Message(MessageType.UNICAST_SEND, "alice", "bob", b"hello"))


def hints(data: bytes, size: int | None = None) -> list[str]:
    """All hints on these bytes."""
    return [hint for frame in dissect(data, size) for hint in frame.hints]


def with_length(number: int) -> bytes:
    """The frame of "hello", its pld_len replaced."""
    return struct.pack("<i", number) + HELLO[4:]


def test_offsets_are_those_of_the_header() -> None:
    data = encode_header(Header(7, "n" * 127, MessageType.FILE_ACK, "i" * 127))
    for name, expected in (("nick_sender", b"n" * 127), ("infos", b"i" * 127)):
        offset, size = OFFSETS[name]
        assert data[offset : offset + size] == expected + b"\0"
    assert struct.unpack_from("<i", data, OFFSETS["pld_len"][0]) == (7,)
    assert struct.unpack_from("<i", data, OFFSETS["type"][0]) == (MessageType.FILE_ACK,)


def test_a_good_frame_has_no_hints() -> None:
    (frame,) = dissect(HELLO)
    assert (frame.name, frame.summary, frame.hints) == ("UNICAST_SEND", "UNICAST_SEND hello", [])
    assert [(one.name, one.offset, one.size, one.value) for one in frame.fields] == [
        ("pld_len", 0, 4, "5"),
        ("nick_sender", 4, 128, '"alice"'),
        ("type", 132, 4, "4 (UNICAST_SEND)"),
        ("infos", 136, 128, '"bob"'),
        ("payload", 264, 5, '"hello"'),
    ]
    assert frame.fields[1].bytes == "61 6c 69 63 65 00 x 123"


def test_frames_in_a_row() -> None:
    frames = dissect(HELLO * 3 + HELLO[:10])
    assert [frame.name for frame in frames] == ["UNICAST_SEND"] * 3 + ["no frame"]
    assert [frame.whole for frame in frames] == [True, True, True, False]


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (struct.pack(">i", 5) + HELLO[4:], "pld_len 83886080 is 5 with its bytes swapped"),
        (with_length(8), "pld_len is 3 more than what followed (5 bytes, 8 announced)"),
        (with_length(2), "pld_len is 3 less than what followed (5 bytes, 2 announced)"),
        (with_length(-1)[:HEADER_SIZE], "pld_len -1 is negative"),
        (HELLO[:4] + b"a" * 128 + HELLO[132:], "no NUL in nick_sender: all its 128 bytes"),
        (HELLO[:136] + b"b" * 128 + HELLO[264:], "no NUL in infos"),
        (HELLO[:136] + b"bob\0junk" + HELLO[144:], "garbage behind the NUL of infos"),
        (HELLO[:136] + b"bob\n" + HELLO[140:], "infos begins or ends with a blank or a newline"),
        (HELLO[:4] + b"\xff\xfe" + HELLO[6:], "nick_sender is no UTF-8"),
        (HELLO[:132] + struct.pack(">i", 4) + HELLO[136:], "is 4 (UNICAST_SEND) with its bytes"),
        (HELLO[:132] + struct.pack("<i", 99) + HELLO[136:], "type 99 is not in the list (0 to 15)"),
        (with_length(6) + b"\0", "the payload ends with a NUL that pld_len counts"),
        (b"hello\n", "they begin with text, where a header begins with pld_len"),
        (HELLO[:100], "only 100 of the header's 264 bytes came"),
    ],
)
def test_mistakes_are_named(data: bytes, hint: str) -> None:
    found = hints(data)
    assert len(found) == 1, found
    assert hint in found[0]


def test_what_was_not_kept_is_not_missing() -> None:
    """Of a large payload the first bytes are kept: its length is right nevertheless."""
    data = with_length(100_000)
    assert hints(data, HEADER_SIZE + 100_000) == []
    assert "more than what followed" in hints(data)[0]


@given(st.binary(max_size=700), st.integers(0, 1 << 31))
def test_nothing_raises_and_every_byte_is_accounted_for(data: bytes, size: int) -> None:
    frames = dissect(data, size)
    assert all(isinstance(frame, Frame) for frame in frames)
    if data:
        assert frames
    for frame in frames:
        assert "\n" not in frame.summary
        for one in frame.fields:
            assert "\n" not in one.value
            assert len(one.value) < 400
            assert len(one.bytes) < 200


@given(st.text(max_size=300), st.integers(20, 100))
def test_text_from_a_submission_becomes_visible_and_bounded(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    shown = visible(text, limit)
    assert all(c in "\n\t" or c.isprintable() or c == "\ufffd" for c in shown)
    assert len(shown) <= limit + 60
    shown.encode()


def test_signals_are_explained() -> None:
    assert "memory that is not its own" in why_it_ended("was killed by SIGSEGV")
    assert why_it_ended("exited with status 1") == ""
    assert why_it_ended("is still running") == ""
