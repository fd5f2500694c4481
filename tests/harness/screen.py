"""What the output of a program means, whatever its language, wording and colours.

A check asks for what a requirement fixes (a token, a name, an address); everything here exists to
find that between prompts, escape sequences and the program's own echo of what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window title
    r"|\x1b[ -/]*[0-~]"  # two-byte escapes
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MONTH = r"(?:jan|feb|f[ée]v|mar|apr|avr|ma[iy]|ju[nilyo]|aug|ao[uû]|sep|oct|nov|dec|d[ée]c)\w*"
_DATE_OR_TIME = re.compile(
    r"(?<![\d.:])\d{1,2}:\d{1,2}(?!\d)"  # 09:36, 9:5, and no 127.0.0.1:52322
    r"|\d{1,2}\s*[hH]\s*\d{2}"  # 09h36
    r"|\d{4}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*\d{1,2}"  # 2026/11/20
    r"|\d{1,2}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*\d{2,4}"  # 20/11/2026
    rf"|(?<![\d.])\d{{1,2}}(?:st|nd|rd|th|er)?[\s.-]*{_MONTH}"  # 20 November, 1er mai, 20-Nov
    rf"|\b{_MONTH}[\s.-]+\d{{1,2}}\b",  # Nov 20
    re.IGNORECASE,
)


def clean(raw: bytes) -> str:
    """The text of a terminal's output: no escape sequences, no control characters, and a
    carriage return counts as a new line."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def unfinished_line(text: str) -> str:
    """What stands behind the last newline: a prompt, mostly."""
    return text.rpartition("\n")[2]


def looks_like_a_prompt(line: str) -> bool:
    """True for an unfinished line that asks for input: it ends with a sign such as `>`, or with
    another that ends no sentence and a blank, or begins with `>`. Else it is a message that lacks
    its newline."""
    return re.search(r"[>$#%:»\u276f\]]\s*$|[^\w\s.,;!…]\s+$|^\s*[>$#%]", line) is not None


def without_prompts(text: str, prompts: Iterable[str]) -> str:
    """`text` without these prompts at the beginnings of its lines, however many of them."""
    known = "|".join(re.escape(p) for p in sorted(filter(None, prompts), key=len, reverse=True))
    return re.sub(rf"^(\s*(?:{known}))+", "", text, flags=re.MULTILINE) if known else text


def without_prompt(text: str) -> str:
    """`text` without its last line, where that is unfinished and looks like a prompt: one or two
    words and a sign such as `>`."""
    head, newline, last = text.rpartition("\n")
    looks = re.fullmatch(r"\W*[\w@~.-]*\W{0,2}[\w@~.-]*\W*[>$#%:]\s*", last) is not None
    return head + newline if looks and len(last) < 60 else text


_SPEAKER_ALONE = re.compile(r"^\W*server\W*$", re.IGNORECASE | re.MULTILINE)


def says_something(text: str) -> bool:
    """True when there is a word in it: two letters in a row, and not the server's name alone."""
    return re.search(r"[^\W\d_]{2}", _SPEAKER_ALONE.sub("", text)) is not None


def has_word(text: str, word: str) -> bool:
    """True when `word` stands in `text`, not as a part of a longer word."""
    return count_word(text, word) > 0


def count_word(text: str, word: str) -> int:
    """How often `word` stands in `text`, not as a part of a longer word."""
    return len(re.findall(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text))


def has_date_or_time(text: str) -> bool:
    """True when a date or a time of day stands in `text`, in any usual format."""
    return _DATE_OR_TIME.search(text) is not None


def shape(text: str, *names: str) -> str:
    """`text` with the given names, all digits and all blanks taken out: what stays the same from
    one answer to the next of its kind."""
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = text.replace(name, "")
    return re.sub(r"[\d\s]+", "", text)


def says_anything_new(text: str, known: str, *names: str) -> bool:
    """True when a line with words in `text` is none of those in `known`, whatever the names and
    numbers in them: who is told of a failure in the words of a success is not told of it."""
    old = {shape(line, *names) for line in known.splitlines()}
    return any(says_something(x) and shape(x, *names) not in old for x in text.splitlines())


def printable(raw: bytes, limit: int = 4000) -> str:
    """Bytes as harmless text for a report, its middle left out beyond `limit` characters."""
    return shorten_middle(clean(raw), limit)


def shorten_middle(text: str, limit: int) -> str:
    """`text`, its middle left out beyond `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - limit} characters left out ...]\n{text[-half:]}"


def shorten(line: str, limit: int = 80) -> str:
    """A typed line for a sentence, its middle left out when it is long."""
    if len(line) <= limit:
        return line
    return f"{line[: limit - 30]}...{line[-10:]} ({len(line)} characters)"
