"""How lines of a chat look: who speaks in a colour of their own, notices dim, errors red.

For a terminal alone; NO_COLOR (any value) switches it off, see https://no-color.org.
"""

from __future__ import annotations

import enum
import os
import re
import zlib
from typing import Final

_NAMES: Final = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)  # no red: that is for errors
_SPEAKER: Final = re.compile(r"\[([^\]\s]+)[^\]\n]*\]")


class Look(enum.Enum):
    """What a line is, as far as its look goes. The value is the colour of the whole line."""

    CHAT = 0
    NOTICE = 2
    ERROR = 31


def wanted() -> bool:
    """Say whether the user wants colours."""
    return not os.environ.get("NO_COLOR")


def painted(text: str, look: Look) -> str:
    """Return a harmless text with its colours. In chat, `[name]` in front gets the name's own."""
    if look is not Look.CHAT:
        return _in_colour(look.value, text)
    speaker = _SPEAKER.match(text)
    if speaker is None:
        return text
    return _in_colour(colour_of(speaker[1]), speaker[0]) + text[speaker.end() :]


def colour_of(name: str) -> int:
    """Return a name's colour: the same in every program, whoever else is there."""
    return _NAMES[zlib.crc32(name.encode("utf-8", "replace")) % len(_NAMES)]


def _in_colour(colour: int, text: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"
