"""Text from a submission, made harmless before it goes into a report of any kind.

What a program printed may be megabytes long and hold anything: NULs, escape sequences, marks that
turn the direction of writing, halves of UTF-16 pairs. Here it becomes bounded, visible text.
Escaping for HTML, XML or Markdown is the matter of whoever writes those.
"""

from __future__ import annotations

import signal
import unicodedata

_KEPT = "\n\t"
_CAUSES = {
    "SIGSEGV": "it used memory that is not its own: a NULL pointer, or an index out of bounds",
    "SIGABRT": "it gave up by itself: a failed assertion, a double free, or an overflowing buffer",
    "SIGPIPE": "it wrote to a connection that the other side had closed",
    "SIGFPE": "it divided by zero",
    "SIGBUS": "it used memory that is not there",
    "SIGILL": "it ran into bytes that are no instruction",
}


def visible(text: str, limit: int) -> str:
    """`text` with every character that cannot be seen replaced by one that can, its middle left
    out beyond `limit` characters. Newlines and tabs stay."""
    if len(text) > limit:
        half = limit // 2
        left_out = f"\n[... {len(text) - 2 * half} characters left out ...]\n"
        text = text[:half] + left_out + text[-half:]
    return "".join(_seen(c) for c in text)


def one_line(text: str, limit: int) -> str:
    """`text` on one line, cut behind `limit` characters: newlines and the like as escapes."""
    cut = text[: limit - 3] + "..." if len(text) > limit else text
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
    return "".join(escapes.get(c) or _seen(c) for c in cut)


def _seen(character: str) -> str:
    if character in _KEPT or character.isprintable():
        return character
    if character < " ":
        return chr(0x2400 + ord(character))  # Unicode's pictures of the control characters
    if unicodedata.category(character) == "Zs":
        return " "
    return "\ufffd"


def why_it_ended(end: str) -> str:
    """What the signal in 'was killed by SIGSEGV' usually means; empty for any other end."""
    name = end.rpartition(" ")[2]
    if not end.startswith("was killed by") or name not in signal.Signals.__members__:
        return ""
    return _CAUSES.get(name, "")


def check_name(check: dict[str, object]) -> str:
    """A check's name for people: `a frame cut in two [in-infos] (wire)`."""
    name = str(check["check"]).removeprefix("test_").replace("_", " ")
    case = f" [{check['case']}]" if check.get("case") else ""
    return one_line(f"{name}{case} ({check['stage']})", 160)
