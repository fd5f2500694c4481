"""A console with a line editor: what comes in never breaks the line that is being typed.

The parts: `lineedit` knows keys and screen, `rawmode` the terminal and its signals, `colours`
and `completion` what their names say. Here they meet the interface of `Console`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from common import colours
from common.colours import Look
from common.console import Console
from common.lineedit import LineEditor
from common.rawmode import RawMode
from common.text import harmless

_READ_SIZE = 64 * 1024


def open_console(*, timestamps: bool = False) -> Console:
    """Return the console that suits standard input and output.

    Pipes and terminals that can move no cursor (TERM=dumb) get the plain one, line by line.
    """
    if is_editable():
        return EditingConsole(timestamps=timestamps)
    return Console(timestamps=timestamps)


def is_editable() -> bool:
    """Say whether a person sits before a terminal that understands more than plain text."""
    return os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"


class EditingConsole(Console):
    """A terminal, key by key. It is in raw mode from the first `flush` to `close`."""

    def __init__(self, keyboard: int = 0, screen: int = 1, *, timestamps: bool = False) -> None:
        super().__init__(keyboard, screen, timestamps=timestamps)
        self._editor = LineEditor(lambda start: self.complete(start))
        self._raw = RawMode(self._keyboard, self._screen)
        self._colours = colours.wanted()
        self.wakeup = self._raw.wakeup

    def read_lines(self) -> Iterator[str]:
        """Take the keys that were pressed, and yield the lines completed by them, as `Console`.

        One by one: what a line brings about is shown before the next one.
        """
        try:
            data = os.read(self._keyboard, _READ_SIZE)
        except OSError:  # its terminal is gone
            data = b""
        self._editor.receive_keys(data)
        yield from iter(self._editor.next_line, None)
        self.at_end = self._editor.at_end or not data

    def show(self, text: str, look: Look = Look.CHAT) -> None:
        """Show `text` above the line being typed, in colours."""
        text, stamp = harmless(text), self._stamp()
        if self._colours:
            text = colours.painted(text, look)
            stamp = stamp and colours.painted(stamp, Look.NOTICE)
        self._editor.show_above(stamp + text)

    def set_prompt(self, prompt: str) -> None:
        """Show `prompt` in front of the line being typed; empty: none is expected."""
        self._editor.set_prompt("" if self.at_end else prompt)

    def set_status(self, status: str) -> None:
        """Show these lines above the prompt."""
        self._editor.set_status(status)

    @property
    def backlog(self) -> int:
        """Bytes and characters that the screen has not taken yet."""
        return super().backlog + self._editor.waiting

    def flush(self) -> None:
        """Bring the screen up to date, as far as it takes it without waiting."""
        self._raw.enter()
        super().flush()
        if not super().backlog:  # a slow terminal need not see every state in between
            self._draw()
            super().flush()

    def close(self) -> None:
        """Show the rest, leave what was being typed where it stands, and end the raw mode."""
        try:
            self._draw()
            self._write(self._editor.leave_block())
            super().close()
        finally:
            self._raw.leave()

    def woken(self) -> None:
        """The window has another size, or we were stopped and continued: draw anew."""
        if self._raw.drain():
            self._editor.forget_screen()

    def _draw(self) -> None:
        try:
            columns = os.get_terminal_size(self._screen).columns
        except OSError:  # its terminal is gone
            columns = 0
        self._write(self._editor.screen_text(columns or 80, with_block=self._raw.active))
