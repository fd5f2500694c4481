"""JSON objects, one after another on a stream of bytes (requirement 5.1).

A frame says how long it is; a JSON object does not: it ends where its last brace closes. Between
two objects stands what the sender likes: nothing, blanks or newlines. So the receiver looks for
the end itself, counting brackets and stepping over strings, in which brackets mean nothing.

Rules of this file:
- No socket, no clock, no file: bytes go in, objects come out, as in `framing`.
- Every byte is looked at once, however the stream was cut: the search for an end goes on where it
  stopped. Starting again at every `recv` would cost a second's work per 64 KiB, byte by byte.
- A peer can cause exactly one exception: JSONStreamError. None of them is final: what can be told
  apart is told apart, and the next `next_value` goes on behind the broken part.
- The result does not depend on how the bytes were cut, errors included.

Where does a broken part end? A value whose brackets are balanced ends where they close, whatever
is wrong in it. A string that has no end is given up at the end of the line, because no JSON string
holds a raw newline. Bytes that begin no object and no list are skipped up to the next newline or
opening bracket. What grows beyond the bound is dropped while its end is looked for. An object
that lacks a closing brace swallows what follows, until the bound: nothing tells it from a long one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from common.framing import NEED_MORE, NeedMore

__all__ = ["MAX_DEPTH", "MAX_OBJECT", "NEED_MORE", "Decoder", "JSONStreamError", "encode"]

MAX_OBJECT: Final = 64 * 1024
"""Largest object in bytes that the reference sends, and takes unless told otherwise."""
MAX_DEPTH: Final = 16
"""Deepest nesting that is taken. The chat needs 2; Python's parser would recurse per level."""

_NOT_BLANK: Final = re.compile(rb"[^ \t\r\n]")
_AFTER_JUNK: Final = re.compile(rb"[\n{\[]")
_IN_VALUE: Final = re.compile(rb'[{}\[\]"]')
_IN_STRING: Final = re.compile(rb'["\\\n]')
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class JSONStreamError(Exception):
    """The peer sent something that is not an object of this stream; the next one may be fine."""


def encode(value: Mapping[str, object]) -> bytes:
    """Return one object in UTF-8 with a newline behind it, so that people can read the stream.

    Raises ValueError when it would be longer than MAX_OBJECT bytes.
    """
    raw = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    if len(raw) > MAX_OBJECT:
        raise ValueError(f"the message takes {len(raw)} bytes, at most {MAX_OBJECT} can be sent")
    return raw


class Decoder:
    """Turns a stream of bytes, cut anywhere, into JSON objects of `max_object` bytes at most.

    What comes out is a dict without NaN, infinities, repeated keys or halves of surrogate pairs,
    nested MAX_DEPTH levels deep at most: it can be encoded again. The types of its values are
    for the caller to check.
    """

    def __init__(self, max_object: int = MAX_OBJECT) -> None:
        self._max_object = max_object
        self._buffer = bytearray()
        self._start = 0  # where the current value begins
        self._at = 0  # everything before has been looked at
        self._depth = 0  # brackets open; 0: between two values
        self._deepest = 0
        self._in_string = False
        self._in_junk = False  # skipping what begins no value; its error has been raised
        self._too_long = False  # dropping a value beyond the bound; its error has been raised

    def receive_data(self, data: bytes) -> None:
        """Append what a `recv` returned. Call `next_value` until it says NEED_MORE."""
        del self._buffer[: self._start]
        self._at -= self._start
        self._start = 0
        self._buffer += data

    def next_value(self) -> dict[str, Any] | NeedMore:
        """Return the next object, or NEED_MORE. Raises JSONStreamError; call again after it."""
        while self._depth or self._find_start():
            ended = self._find_end()
            length = self._at - self._start
            if self._too_long:
                self._start = self._at
            elif length > self._max_object:
                self._too_long = not ended
                self._start = self._at
                raise JSONStreamError(f"an object of more than {self._max_object} bytes")
            if not ended:
                return NEED_MORE
            if self._too_long:
                self._too_long = False
                continue
            raw = bytes(self._buffer[self._start : self._at])
            self._start = self._at
            return _parse(raw, self._deepest)
        return NEED_MORE

    def _find_start(self) -> bool:
        """Skip blanks, and junk after its error; say whether a value begins."""
        while True:
            pattern = _AFTER_JUNK if self._in_junk else _NOT_BLANK
            found = pattern.search(self._buffer, self._at)
            if found is None:
                self._start = self._at = len(self._buffer)
                return False
            self._start = self._at = found.start()
            first = self._buffer[self._at]
            self._in_junk = first not in b"{[\n"
            if first in b"{[":
                self._deepest = 0
                return True
            if self._in_junk:
                raise JSONStreamError(f"expected an object, found {bytes([first])!r}")

    def _find_end(self) -> bool:
        """Go on to the end of the current value; say whether it is there. `_at` is then behind."""
        buffer, at = self._buffer, self._at
        while True:
            found = (_IN_STRING if self._in_string else _IN_VALUE).search(buffer, at)
            if found is None:
                self._at = len(buffer)
                return False
            at = found.end()
            byte = buffer[at - 1]
            if byte in b"{[":
                self._depth += 1
                self._deepest = max(self._deepest, self._depth)
            elif byte in b"}]":
                self._depth -= 1
            elif byte in b"\\":
                if at == len(buffer):  # what it escapes is not here yet
                    self._at = at - 1
                    return False
                at += 1
            elif byte in b"\n":  # only a broken string reaches the end of its line
                self._depth = 0
                self._in_string = False
            else:
                self._in_string = not self._in_string
            if self._depth == 0:
                self._at = at
                return True


def _parse(raw: bytes, depth: int) -> dict[str, Any]:
    """Turn one value with balanced brackets into a dict, or raise JSONStreamError."""
    if depth > MAX_DEPTH:
        raise JSONStreamError(f"nested {depth} levels deep, {MAX_DEPTH} are allowed")
    try:
        text = raw.decode()
        value = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # fails where half a pair stands
    except UnicodeError:
        raise JSONStreamError("not UTF-8") from None
    except ValueError as error:
        raise JSONStreamError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise JSONStreamError("expected an object, found a list")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number
