"""Text from strangers, made harmless before it meets a terminal or a log (N.B).

A terminal obeys what it is sent: an escape sequence can clear the screen, move the cursor, or
write another user's name. So control characters are shown, not obeyed.
"""

from __future__ import annotations

import re
from typing import Final

_OBEYED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls, except tab and newline
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line separators, changes of direction
    "\ud800-\udfff]"  # halves of characters: bytes that were not UTF-8
)


def harmless(text: str) -> str:
    r"""Return `text` with every control character shown as an escape such as \x1b.

    Newline and tab stay. NULs, which no terminal shows, and the CR of a CR LF go.
    """
    return _OBEYED.sub(_shown, text.replace("\0", "").replace("\r\n", "\n"))


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte kept by Python's surrogateescape
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
