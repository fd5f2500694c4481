"""The terminal of two threads, with a line editor: messages appear above the line being typed.

`Terminal` hears of a line when Enter is pressed. Here every key arrives at once: the input thread
hands it to the editor, the listening thread hands it messages, and `_lock` lets one of them at a
time change the editor and the screen.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterator

from common import colours
from common.colours import Look
from common.console import open_again
from common.editing_console import is_editable
from common.lineedit import LineEditor
from common.rawmode import RawMode
from milestone5_threads.terminal import (
    KEYBOARD,
    SCREEN,
    Interrupted,
    Terminal,
    indented,
    write_all,
)


def open_terminal(*, timestamps: bool = False) -> Terminal:
    """Return the terminal that suits standard input and output: pipes get the plain one."""
    return (EditingTerminal if is_editable() else Terminal)(timestamps=timestamps)


class EditingTerminal(Terminal):
    """Keys in, lines out. In raw mode from the first prompt until the program ends."""

    def __init__(self, *, timestamps: bool = False) -> None:
        super().__init__(timestamps=timestamps)
        self._editor = LineEditor(lambda start: self.complete(start))
        self._raw = RawMode(KEYBOARD, open_again(SCREEN))
        self._colours = colours.wanted()

    def show(self, text: str, look: Look = Look.CHAT) -> None:
        """Show a line, or several, above the prompt; any thread may."""
        line, stamp = indented(text), self._stamp()
        if self._colours:
            line = colours.painted(line, look)
            stamp = stamp and colours.painted(stamp, Look.NOTICE)
        with self._lock:
            self._editor.show_above(stamp + line)
            self._draw()

    def _next_line(self) -> bytes | None:
        while True:
            with self._lock:
                line = self._editor.next_line()
                if line is not None:
                    return line.encode("utf-8", "surrogateescape")
                if self._editor.at_end or self._ended:
                    return None
                self._raw.enter()
                self._draw()
            self._wait_for_keys()

    def _wait_for_keys(self) -> None:
        """Raises Interrupted."""
        sources = [KEYBOARD, self._interrupt_in, self._raw.wakeup]
        ready, _, _ = select.select(sources, [], [])
        if self._interrupt_in in ready:
            raise Interrupted
        if self._raw.wakeup in ready and self._raw.drain():
            with self._lock:
                self._editor.forget_screen()
        if KEYBOARD in ready:
            self._read_keyboard()

    def _read_keyboard(self) -> None:
        try:
            data = os.read(KEYBOARD, 65536)
        except OSError:  # the terminal is gone
            data = b""
        self._ended = not data
        self._editor.receive_keys(data)

    def _show_prompt(self, prompt: str) -> None:
        with self._lock:
            self._editor.set_prompt(prompt)

    def _remove_prompt(self, leave: str) -> None:
        with self._lock:
            self._editor.set_prompt("")
            self._draw()

    @contextlib.contextmanager
    def _without_echo(self) -> Iterator[None]:
        """Show nothing of what is typed."""
        self._editor.hidden = True
        try:
            yield
        finally:
            self._editor.hidden = False

    def _draw(self) -> None:
        """Bring the screen up to date. `_lock` is held."""
        try:
            columns = os.get_terminal_size(SCREEN).columns
        except OSError:  # the terminal is gone
            columns = 0
        write_all(self._editor.screen_text(columns or 80, with_block=self._raw.active))
