"""A line being typed on a terminal: keys in; finished lines and screen text out. No file, no clock.

    receive_keys(bytes)      what was typed
    next_line()         ->   a line that Enter has finished
    show_above(text)         something came in meanwhile
    screen_text(columns) ->  what brings the screen up to date

The end of the screen is ours: rows of status, if any, and one row with the prompt and the line.
Whatever is to be shown, this block is erased, the text written in its place, and the block drawn
again below. A long line scrolls sideways within its row, as in most chat programs: one row is
easy to find again, also after the window has changed its size.

Nearly always: of a window made narrower than the row, some terminals cut the row and others wrap
it. Only the cursor's column tells which, so we ask for it, and erase one row more if need be.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Final

from common.text import harmless

_TOKEN: Final = re.compile(
    r"[^\x00-\x1f\x7f]+"  # text
    r"|\x1b\[\[?[0-?]*[ -/]*[@-~]"  # a key such as an arrow; some are sent as ESC O and a letter
    r"|\x1bO[ -~]"
    r"|\x1b[^\[O\x1b]"  # Alt and another key
    r"|[^\x1b]",  # Ctrl and a letter, Enter, Tab, Backspace
)
_INCOMPLETE: Final = re.compile(r"\x1b(\[\[?[0-?]{,32}[ -/]*|O)?")
_MOST_HISTORY: Final = 500
_MOST_CHOICES: Final = 50
"""Most possibilities that Tab lists."""
_MOST_STATUS: Final = 4
_LEAST_COLUMNS: Final = 12
"""A window narrower than this is treated as if it had this width."""
_ERASE_BELOW: Final = "\x1b[J"
_ASK_CURSOR: Final = "\x1b[6n"
_CURSOR: Final = re.compile(r"\x1b\[\d+;(\d+)R")
"""The terminal's answer."""


class LineEditor:
    """One line with a cursor, the lines before it, and the block at the end of the screen."""

    def __init__(self, complete: Callable[[str], list[str]] = lambda _start: []) -> None:
        self.complete = complete
        """Takes the line up to the cursor, and returns all that it may become."""
        self.at_end = False
        """Ctrl-D was typed on an empty line."""
        self.hidden = False
        """What is typed is not shown, nor remembered: a password."""
        self._prompt = ""
        self._status: list[str] = []
        self._text = ""
        self._cursor = 0  # index into the text
        self._killed = ""  # by Ctrl-K, Ctrl-U or Ctrl-W, for Ctrl-Y
        self._history: list[str] = []
        self._place = 0  # in the history; behind its end: the new line
        self._draft = ""  # the new line, while an old one is shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._keys = ""
        self._done = 0  # so many of them are dealt with
        self._pasting = False
        self._above: list[str] = []  # to be written above the block
        self._stale = True  # the block must be drawn anew
        self._drawn_status = 0  # rows of status on the screen
        self._drawn = False
        self._columns = 0  # of the window when the block was drawn
        self._column = 0  # of the cursor then
        self._expected: tuple[int, int] | None = None  # where it is, if rows were wrapped
        self._wrapped = 0  # rows above the block that were part of it

    # Keys in

    def receive_keys(self, data: bytes) -> None:
        """Take what was typed; `next_line` does what it says."""
        self._keys = self._keys[self._done :] + self._decoder.decode(data)
        self._done = 0

    def next_line(self) -> str | None:
        """Do what the keys say up to the end of a line, and return that line; None: no line ended.

        Bytes that are not UTF-8 come as Python's surrogate escapes.
        """
        while self._done < len(self._keys) and not self.at_end:
            self._stale = True
            token = _TOKEN.match(self._keys, self._done)
            if token is not None:
                self._done = token.end()
                if token[0] in "\r\n":
                    return self._finish()
                self._press(token[0])
            elif _INCOMPLETE.fullmatch(self._keys, self._done):
                break
            else:
                self._done += 1  # an Esc that begins nothing
        return None

    def _press(self, key: str) -> None:
        action = _ACTIONS.get(key)
        if self._expected is not None and (answer := _CURSOR.fullmatch(key)):
            self._located(int(answer[1]) - 1)
        if key == "\t" and self._pasting:
            self._insert(key)
        elif action is not None:
            action(self)
        elif len(key) == 2 and key[0] == "\x1b" and key[1].isprintable():
            self._insert(key[1])
        elif key[0] > "\x1f" and key != "\x7f":
            self._insert(key)

    def _finish(self) -> str:
        """Enter: the line moves up to the other texts, whole, and a new one begins."""
        line = self._text
        shown = "" if self.hidden else harmless(line)
        self._above.append(f"{self._prompt}{shown}\n")
        if line and not self.hidden and self._history[-1:] != [line]:
            self._history = [*self._history, line][-_MOST_HISTORY:]
        self._place = len(self._history)
        self._draft = ""
        self._replace("")
        return line

    # What keys do

    def _insert(self, text: str) -> None:
        self._text = self._text[: self._cursor] + text + self._text[self._cursor :]
        self._cursor += len(text)

    def _replace(self, text: str) -> None:
        self._text = text
        self._cursor = len(text)

    def _left(self) -> None:
        self._cursor = self._before()

    def _right(self) -> None:
        self._cursor = self._behind()

    def _home(self) -> None:
        self._cursor = 0

    def _end(self) -> None:
        self._cursor = len(self._text)

    def _word_left(self) -> None:
        self._cursor = len(self._text[: self._cursor].rstrip().rpartition(" ")[0])
        self._cursor += self._cursor > 0  # behind the blank

    def _word_right(self) -> None:
        rest = self._text[self._cursor :]
        self._cursor += len(rest) - len(rest.lstrip().partition(" ")[2])

    def _backspace(self) -> None:
        self._cut(self._before(), self._cursor)

    def _delete(self) -> None:
        self._cut(self._cursor, self._behind())

    def _delete_or_end(self) -> None:
        if self._text:
            self._delete()
        else:
            self.at_end = True

    def _kill_behind(self) -> None:
        self._killed = self._cut(self._cursor, len(self._text))

    def _kill_before(self) -> None:
        self._killed = self._cut(0, self._cursor)

    def _kill_word(self) -> None:
        end = self._cursor
        self._word_left()
        self._killed = self._cut(self._cursor, end)

    def _yank(self) -> None:
        self._insert(self._killed)

    def _older(self) -> None:
        self._go_to(self._place - 1)

    def _newer(self) -> None:
        self._go_to(self._place + 1)

    def _go_to(self, place: int) -> None:
        if not 0 <= place <= len(self._history) or self.hidden:
            return
        if self._place == len(self._history):
            self._draft = self._text
        self._place = place
        self._replace(self._history[place] if place < len(self._history) else self._draft)

    def _clear_screen(self) -> None:
        self._above.append("\x1b[H" + _ERASE_BELOW)

    def _begin_paste(self) -> None:
        self._pasting = True

    def _end_paste(self) -> None:
        self._pasting = False

    def _tab(self) -> None:
        """Complete as far as all possibilities agree; where that adds nothing, list them."""
        start = self._text[: self._cursor]
        choices = [] if self.hidden else sorted(set(self.complete(start)))
        common = os.path.commonprefix(choices)  # noqa: RUF071 -- characters are meant
        if len(common) > len(start):
            self._cut(0, self._cursor)
            self._insert(common)
        elif len(choices) > 1:
            # The last word is enough: of a path, what follows its last slash.
            skip = max(common.rfind(" "), common.rfind("/", 1)) + 1
            words = [choice[skip:].strip() for choice in choices[:_MOST_CHOICES]]
            more = [f"... {len(choices)} in all"] if len(choices) > _MOST_CHOICES else []
            self.show_above(harmless("  ".join([*words, *more])))

    def _cut(self, start: int, end: int) -> str:
        cut = self._text[start:end]
        self._text = self._text[:start] + self._text[end:]
        self._cursor = start
        return cut

    def _before(self) -> int:
        """Return where the character before the cursor begins, accents and the like included."""
        place = max(0, self._cursor - 1)
        while place > 0 and width(self._text[place]) == 0:
            place -= 1
        return place

    def _behind(self) -> int:
        """Return where the character at the cursor ends."""
        place = min(len(self._text), self._cursor + 1)
        while place < len(self._text) and width(self._text[place]) == 0:
            place += 1
        return place

    # Screen text out

    def set_prompt(self, prompt: str) -> None:
        """Show `prompt` in front of the line; empty: no line is expected, the block has none."""
        self._stale |= prompt != self._prompt
        self._prompt = prompt

    def set_status(self, status: str) -> None:
        """Show these lines above the prompt; empty: none."""
        rows = status.splitlines()[:_MOST_STATUS]
        self._stale |= rows != self._status
        self._status = rows

    def show_above(self, text: str) -> None:
        """Show `text` above the block. The caller has made it harmless."""
        self._above.append(text + "\n")

    @property
    def waiting(self) -> int:
        """Characters to be shown that `screen_text` has not returned yet."""
        return sum(map(len, self._above))

    def forget_screen(self) -> None:
        """Somebody else has written: the block is not where we left it, draw a new one."""
        self._drawn = False
        self._stale = True

    def screen_text(self, columns: int, *, with_block: bool = True) -> str:
        """Return what makes a window of `columns` show everything; empty: it does already."""
        columns = max(columns, _LEAST_COLUMNS)
        if not self._above and not self._stale and columns == self._columns:
            return ""
        text = self._ask_cursor(columns) + self._erase() + "".join(self._above)
        self._above.clear()
        self._columns = columns
        self._stale = False
        return text + self._draw() if with_block and (self._prompt or self._status) else text

    def _ask_cursor(self, columns: int) -> str:
        """Ask where the cursor is, if that tells whether the terminal has wrapped our row."""
        if self._above:
            self._expected = None  # the text stands in between: too late to mend
        elif self._drawn and columns <= self._column:
            self._expected = divmod(self._column, columns)
            return _ASK_CURSOR
        return ""

    def _located(self, column: int) -> None:
        """The terminal has answered: the cursor was in this column."""
        assert self._expected is not None
        rows, expected = self._expected
        self._wrapped = rows if column == expected else 0
        self._expected = None

    def leave_block(self) -> str:
        """Return what moves the cursor below the block, which stays."""
        drawn, self._drawn = self._drawn, False
        return "\n" if drawn else ""

    def _erase(self) -> str:
        """Return what takes the block off the screen, the cursor where it began."""
        if not self._drawn:
            return ""
        self._drawn = False
        rows = self._drawn_status + self._wrapped
        self._wrapped = 0
        return "\r" + (f"\x1b[{rows}A" if rows else "") + _ERASE_BELOW

    def _draw(self) -> str:
        self._drawn = True
        self._drawn_status = len(self._status)
        room = self._columns - 1  # in the last column the cursor would hang between two rows
        prompt, _ = visible(list(harmless(self._prompt)), 0, room // 2)
        typed = "" if self.hidden else self._text
        room -= text_width(prompt)
        line, column = visible(list(map(cell, typed)), 0 if self.hidden else self._cursor, room)
        self._column = column = column + text_width(prompt)
        rows = [visible(list(harmless(row)), 0, self._columns - 1)[0] for row in self._status]
        right = f"\x1b[{column}C" if column else ""
        return "\n".join([*rows, prompt + line]) + "\r" + right


_ACTIONS: Final[dict[str, Callable[[LineEditor], None]]] = {
    key: action
    for action, keys in {
        LineEditor._left: ["\x02", "\x1b[D", "\x1bOD"],
        LineEditor._right: ["\x06", "\x1b[C", "\x1bOC"],
        LineEditor._home: ["\x01", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"],
        LineEditor._end: ["\x05", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"],
        LineEditor._word_left: ["\x1bb", "\x1b[1;5D", "\x1b[1;3D"],
        LineEditor._word_right: ["\x1bf", "\x1b[1;5C", "\x1b[1;3C"],
        LineEditor._backspace: ["\x7f", "\x08"],
        LineEditor._delete: ["\x1b[3~"],
        LineEditor._delete_or_end: ["\x04"],
        LineEditor._kill_behind: ["\x0b"],
        LineEditor._kill_before: ["\x15"],
        LineEditor._kill_word: ["\x17", "\x1b\x7f"],
        LineEditor._yank: ["\x19"],
        LineEditor._older: ["\x10", "\x1b[A", "\x1bOA"],
        LineEditor._newer: ["\x0e", "\x1b[B", "\x1bOB"],
        LineEditor._clear_screen: ["\x0c"],
        LineEditor._tab: ["\t"],
        LineEditor._begin_paste: ["\x1b[200~"],
        LineEditor._end_paste: ["\x1b[201~"],
    }.items()
    for key in keys
}


def visible(cells: list[str], cursor: int, room: int) -> tuple[str, int]:
    """Return the part of a line around its cursor that `room` columns hold, and its column there.

    `cells` is what each character looks like. `<` and `>` stand where something is cut off.
    """
    columns = list(accumulate(map(text_width, cells), initial=0))  # of each cell, and of the end
    if columns[-1] <= room:
        return "".join(cells), columns[cursor]
    inner = max(1, room - 2)
    step = max(1, inner // 2)
    steps = max(0, -(-(columns[cursor] - inner) // step))  # by half rows, not at every key
    start = min(cursor, bisect_left(columns, steps * step))
    while start < cursor and text_width(cells[start]) == 0:
        start += 1
    end = bisect_right(columns, columns[start] + inner) - 1
    left, right = "<" if start else "", ">" if end < len(cells) else ""
    return left + "".join(cells[start:end]) + right, len(left) + columns[cursor] - columns[start]


def cell(char: str) -> str:
    """Return how a typed character is shown."""
    return " " if char in "\t\n" else harmless(char)


def text_width(text: str) -> int:
    """Return how many columns a text takes."""
    return len(text) if text.isascii() else sum(map(width, text))


def width(char: str) -> int:
    """Return how many columns a character takes: 0 for an accent of its own, 2 for a wide one."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf") and char != "\u00ad":
        return 0
    if "\u1160" <= char <= "\u11ff":  # the later parts of a Korean syllable
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
