"""Frames: the same messages whatever way the bytes are cut, and no other error than one."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.framing import (
    HEADER_SIZE,
    INFOS_LEN,
    MAX_LENGTH,
    MAX_TEXT,
    NEED_MORE,
    Decoder,
    Header,
    Message,
    MessageType,
    NeedMore,
    ProtocolError,
    decode_header,
    encode,
    encode_header,
    is_known,
)


def fits(text: str) -> bool:
    return len(text.encode()) < INFOS_LEN


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
messages = st.builds(
    Message,
    st.sampled_from(MessageType),
    names.filter(fits),
    names.filter(fits),
    st.binary(max_size=600),
)


def decode_all(decoder: Decoder, pieces: list[bytes]) -> list[Message]:
    """Feed the pieces; return every message that came out."""
    found = []
    for piece in pieces:
        decoder.receive_data(piece)
        while not isinstance(message := decoder.next_message(), NeedMore):
            found.append(message)
    return found


def test_header_is_the_struct_of_the_course() -> None:
    raw = encode(Message(MessageType.UNICAST_SEND, "alice", "bob", b"hi"))
    assert HEADER_SIZE == 264
    assert raw[0:4] == b"\2\0\0\0"
    assert raw[4:132] == b"alice".ljust(128, b"\0")
    assert raw[132:136] == b"\4\0\0\0"
    assert raw[136:264] == b"bob".ljust(128, b"\0")
    assert raw[264:] == b"hi"


def test_types_have_the_numbers_of_the_course() -> None:
    assert [kind.name for kind in MessageType] == [
        "NICKNAME_NEW",
        "NICKNAME_LIST",
        "NICKNAME_INFOS",
        "ECHO_SEND",
        "UNICAST_SEND",
        "BROADCAST_SEND",
        "MULTICAST_CREATE",
        "MULTICAST_LIST",
        "MULTICAST_JOIN",
        "MULTICAST_SEND",
        "MULTICAST_QUIT",
        "FILE_REQUEST",
        "FILE_ACCEPT",
        "FILE_REJECT",
        "FILE_SEND",
        "FILE_ACK",
    ]
    assert [int(kind) for kind in MessageType] == list(range(16))
    assert is_known(15)
    assert not is_known(16)


@given(messages)
def test_round_trip(message: Message) -> None:
    assert decode_all(Decoder(), [encode(message)]) == [message]


@given(st.lists(messages, max_size=5), st.data())
def test_cut_and_joined_anywhere(sent: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert decode_all(Decoder(), pieces) == sent


def test_byte_by_byte() -> None:
    sent = [Message(MessageType.ECHO_SEND, "a", "b", b"payload"), Message(MessageType.FILE_ACK)]
    stream = b"".join(map(encode, sent))
    assert decode_all(Decoder(), [stream[i : i + 1] for i in range(len(stream))]) == sent


@given(st.lists(st.binary(max_size=700), max_size=6), st.booleans())
def test_any_bytes_at_all(pieces: list[bytes], strict: bool) -> None:
    """Accepted, waited for, or the one exception; never another."""
    decoder = Decoder(strict=strict)
    try:
        for message in decode_all(decoder, pieces):
            assert len(message.payload) <= MAX_TEXT
    except ProtocolError:
        pass


@pytest.mark.parametrize("length", [MAX_TEXT + 1, MAX_LENGTH])
@pytest.mark.parametrize("strict", [True, False])
def test_too_long_is_known_from_the_header(length: int, strict: bool) -> None:
    decoder = Decoder(strict=strict)
    decoder.receive_data(encode_header(Header(length, "", 3, "")))
    with pytest.raises(ProtocolError, match=str(length)):
        decoder.next_message()


@pytest.mark.parametrize(("length", "kind"), [(-1, 3), (-(2**31), 3), (0, 16), (0, -1)])
def test_strict_and_tolerant(length: int, kind: int) -> None:
    raw = struct.pack("<i128si128s", length, b"", kind, b"")
    with pytest.raises(ProtocolError):
        decode_all(Decoder(), [raw])
    assert decode_all(Decoder(strict=False), [raw]) == [Message(kind)]


def test_longest_payload_passes() -> None:
    message = Message(MessageType.ECHO_SEND, "", "", b"x" * MAX_TEXT)
    assert decode_all(Decoder(), [encode(message)]) == [message]


def test_strings_end_at_the_first_nul_or_with_the_field() -> None:
    full = b"n" * 128
    raw = struct.pack("<i128si128s", 0, full, 0, b"bob\0garbage\xff")
    header = decode_header(raw)
    assert header.nick_sender == "n" * 128
    assert header.infos == "bob"


def test_bytes_that_are_not_text() -> None:
    header = decode_header(struct.pack("<i128si128s", 0, b"\xff\xfe", 0, b""))
    assert header.nick_sender == "\ufffd\ufffd"
    assert Message(3, "", "", b"\xff!").text == "\ufffd!"


@pytest.mark.parametrize(
    "header",
    [
        Header(0, "x" * 128, 0, ""),
        Header(0, "", 0, "é" * 64),
        Header(0, "a\0b", 0, ""),
        Header(2**31, "", 0, ""),
        Header(0, "", 2**31, ""),
    ],
)
def test_what_does_not_fit_is_refused(header: Header) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_header(header)


def test_127_bytes_fit() -> None:
    name = "x" * 127
    assert decode_header(encode_header(Header(0, name, 0, name))) == Header(0, name, 0, name)


def test_rest_and_pending() -> None:
    decoder = Decoder()
    decoder.receive_data(b"abc")
    assert decoder.next_message() is NEED_MORE
    assert decoder.pending == 3
    assert decoder.take_rest() == b"abc"
    assert decoder.pending == 0
    assert repr(NEED_MORE) == "NEED_MORE"
