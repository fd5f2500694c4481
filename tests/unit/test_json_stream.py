"""The JSON stream decoder: every cut, every separator, every kind of broken object (5.1, 5.12)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import json_stream
from common.json_stream import MAX_DEPTH, MAX_OBJECT, NEED_MORE, Decoder, JSONStreamError, encode

GOOD = {"command": "WHO"}


def decode(pieces: Iterable[bytes], decoder: Decoder | None = None) -> list[dict[str, Any] | str]:
    """Feed the pieces one after another; return objects, and for each error its text."""
    decoder = decoder or Decoder()
    results: list[dict[str, Any] | str] = []
    for piece in pieces:
        decoder.receive_data(piece)
        while True:
            try:
                value = decoder.next_value()
            except JSONStreamError as error:
                results.append(str(error))
                continue
            if value is NEED_MORE:
                break
            assert isinstance(value, dict)
            results.append(value)
    return results


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
objects = st.dictionaries(
    texts,
    st.recursive(
        texts
        | st.integers()
        | st.booleans()
        | st.none()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
blanks = st.text(" \t\r\n", max_size=3)
jsonish = st.lists(
    st.sampled_from(
        [
            *b'{ } [ ] " \\ : , a NaN "a" {"a":1} {"a":" "\\ud800"'.split(),
            *(b"\n", b" ", b"\xff", b"\xc3\xa9", b"[" * (MAX_DEPTH + 1)),
        ]
    ),
    max_size=60,
).map(b"".join)


@st.composite
def cuts_of(draw: st.DrawFn, data: bytes) -> list[bytes]:
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.lists(st.tuples(objects, st.booleans(), blanks), max_size=5), st.data())
def test_objects_come_out_whatever_the_separators_and_cuts(
    parts: list[tuple[dict[str, Any], bool, str]], data: st.DataObject
) -> None:
    """What goes in comes out, with nothing or blanks between, escaped or not, cut anywhere."""
    stream = b"".join(
        json.dumps(value, ensure_ascii=escape).encode() + gap.encode()
        for value, escape, gap in parts
    )
    expected = [value for value, _, _ in parts]
    assert decode([stream]) == expected
    assert decode(data.draw(cuts_of(stream))) == expected
    assert decode(byte_by_byte(stream)) == expected


@given(jsonish | st.binary(max_size=80), st.data())
def test_any_bytes_give_the_same_results_however_they_are_cut(
    stream: bytes, data: st.DataObject
) -> None:
    """Objects or the one exception, in the same order, whole or in pieces; and it always ends."""
    small = 12
    whole = decode([stream], Decoder(small))
    assert decode(byte_by_byte(stream), Decoder(small)) == whole
    assert decode(data.draw(cuts_of(stream)), Decoder(small)) == whole
    assert len(whole) <= len(stream)
    for value in decode([stream]):
        if isinstance(value, dict):
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


BROKEN = {
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number too large for a float": b'{"a": 1e999}',
    "an integer of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"a": 1, "a": 2}',
    "a key twice further in": b'{"a": {"b": 1, "b": 2}}',
    "bytes that are not UTF-8": b'{"a": "\xff"}',
    "half a character": b'{"a": "\xc3"}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "the other half, in a key": b'{"\\uDC00": 1}',
    "a list": b'[{"command": "WHO"}]',
    "single quotes": b"{'a': 1}",
    "a comma too many": b'{"a": 1,}',
    "brackets that do not match": b'{"a": [1}]',
    "no value": b'{"a": }',
    "a raw control character": b'{"a": "\x01"}',
    "an escape that does not exist": b'{"a": "\\x"}',
    "nesting one too deep": b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "nesting 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "nesting 30,000 deep": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "an object that is too long": b'{"a": "' + b"x" * MAX_OBJECT + b'"}',
    "a string without end": b'{"a": "x}\n',
    "plain text": b"hello\n",
    "a request of another protocol": b"GET / HTTP/1.1\n",
    "a string": b'"hello"\n',
    "a number": b"42\n",
    "a bracket too many": b"}\n",
    "text without a newline": b"hello",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_part_is_told_once_and_the_next_object_is_fine(broken: bytes) -> None:
    good = json.dumps(GOOD).encode()
    if len(broken) > 60_000 and b"[[" in broken:
        assert len(broken) <= MAX_OBJECT, "too deep, not too long, is what this case is about"
    for pieces in ([good + broken + good], byte_by_byte(good + broken + good)):
        before, error, after = decode(pieces)
        assert (before, after) == (GOOD, GOOD)
        assert isinstance(error, str)


def test_nesting_up_to_the_bound_is_taken() -> None:
    value: dict[str, Any] = {}
    for _ in range(MAX_DEPTH - 1):
        value = {"a": value}
    assert decode([encode(value)]) == [value]


def test_the_size_bound_is_exact() -> None:
    fits = json.dumps({"a": "x" * (MAX_OBJECT - len('{"a": ""}'))}).encode()
    assert len(fits) == MAX_OBJECT
    assert decode([fits, b" " * 10]) == [json.loads(fits)]
    assert decode([fits[:-2] + b'x"}', b"{}"]) == [f"an object of more than {MAX_OBJECT} bytes", {}]


def test_an_object_without_end_takes_no_more_memory_than_the_bound() -> None:
    """Ten times the bound in one string: one error, and next to nothing is kept."""
    decoder = Decoder()
    chunk = b"x" * 4096
    results = decode([b'{"a": "', *[chunk] * (10 * MAX_OBJECT // len(chunk))], decoder)
    assert results == [f"an object of more than {MAX_OBJECT} bytes"]
    assert len(decoder._buffer) <= len(chunk)
    assert decode([b'"}{}'], decoder) == [{}]


class CountingPattern:
    """Stands in for a compiled pattern and counts the bytes that it looked at."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern = pattern
        self.looked_at = 0

    def search(self, data: bytes, at: int) -> re.Match[bytes] | None:
        found = self.pattern.search(data, at)
        self.looked_at += (found.end() if found else len(data)) - at
        return found


@pytest.mark.parametrize(
    "stream",
    [
        b'{"a": "' + b"x" * 60_000,
        b'{"a": "' + b"\\" * 60_000,
        b"[" * 60_000,
        b"{}" * 30_000,
        b'{"a": 1}\n' * 6_000,
        b" " * 60_000,
        b"x" * 60_000,
        b"x\n" * 30_000,
    ],
    ids=["string", "escapes", "brackets", "objects", "lines", "blanks", "junk", "junk lines"],
)
def test_work_is_linear_byte_by_byte(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: each byte is looked at three times at most, though it comes alone."""
    patterns = []
    for name in ("_NOT_BLANK", "_AFTER_JUNK", "_IN_VALUE", "_IN_STRING"):
        counting = CountingPattern(getattr(json_stream, name))
        monkeypatch.setattr(json_stream, name, counting)
        patterns.append(counting)
    decode(byte_by_byte(stream))
    assert len(stream) <= sum(pattern.looked_at for pattern in patterns) <= 3 * len(stream)


def test_encode_ends_with_a_newline_and_keeps_letters() -> None:
    assert encode({"message": "été 🎉"}) == '{"message": "été 🎉"}\n'.encode()


def test_encode_refuses_what_is_too_long() -> None:
    with pytest.raises(ValueError, match="at most 65536"):
        encode({"message": "x" * MAX_OBJECT})
