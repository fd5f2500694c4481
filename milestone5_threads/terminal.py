"""Keyboard and screen, shared by two threads (5.10).

The input thread waits for the keyboard, the listening thread writes whenever the server says
something, also in the middle of a prompt: the prompt is then shown again below.

How does the input thread end when the server goes down (5.11)? A thread that waits in `input()`
cannot be woken by another one: its system call ends when somebody presses Enter. So it waits for
*two* things at once, the keyboard and a pipe, and whoever wants it to stop writes into the pipe.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from common.colours import Look
from common.lines import LineBuffer
from common.text import harmless

KEYBOARD: Final = 0
SCREEN: Final = 1
ERASE_LINE: Final = "\r\x1b[K"
ECHO_FLAGS: Final = 3
"""Where `tcgetattr` puts the flags that hold ECHO."""


class Interrupted(Exception):
    """Somebody called `interrupt` while, or before, the input thread waited for a line."""


class Terminal:
    """Lines in, lines out. `_lock` guards the screen and the prompt that stands on it.

    On a pipe nobody reads prompts: none are written. Without cursor movement (TERM=dumb, or
    output into a file) a prompt is not erased; what is shown goes below it.
    """

    def __init__(self, *, timestamps: bool = False) -> None:
        self.complete: Callable[[str], list[str]] = lambda _start: []
        """For the Tab key, where there is a line editor: what the line up to the cursor may
        become."""
        self._lock = threading.Lock()
        self._timestamps = timestamps
        self._prompt = ""
        self._buffer = LineBuffer()
        self._lines: deque[bytes] = deque()  # typed, not yet asked for; input thread only
        self._ended = False
        self._interrupt_in, self._interrupt_out = os.pipe()
        self._interactive = os.isatty(KEYBOARD)
        movable = os.isatty(SCREEN) and os.environ.get("TERM", "dumb") != "dumb"
        self._leave_prompt = ERASE_LINE if movable else "\n"

    def show(self, text: str, look: Look = Look.CHAT) -> None:
        """Write a line, or several, between what others write; any thread may.

        Further lines of a text are indented: nobody can write a line that looks like another
        user's. Control characters are shown, not obeyed (5.B). `look` is for colours.
        """
        line = self._stamp() + indented(text) + "\n"
        with self._lock:
            before = self._leave_prompt if self._prompt else ""
            write_all(before + line + self._prompt)

    def ask(self, prompt: str, *, hidden: bool = False) -> str | None:
        """Return the next line typed, without its newline; None when the keyboard is closed.

        A `hidden` line, a password, does not appear on the screen (5.2). Raises Interrupted.
        """
        with self._without_echo() if hidden else contextlib.nullcontext():
            self._show_prompt(prompt)
            try:
                line = self._next_line()
            except BaseException:
                self._remove_prompt(self._leave_prompt)
                raise
            # An Enter that the terminal has echoed has moved the cursor to the next line.
            self._remove_prompt("" if line is not None and self._echoes() else "\n")
        return None if line is None else line.decode("utf-8", "replace").rstrip("\r")

    def interrupt(self) -> None:
        """Make `ask` raise Interrupted, now and from now on; any thread may."""
        os.write(self._interrupt_out, b"!")

    def _next_line(self) -> bytes | None:
        while not self._lines and not self._ended:
            ready, _, _ = select.select([KEYBOARD, self._interrupt_in], [], [])
            if self._interrupt_in in ready:
                raise Interrupted
            self._read_keyboard()
        return self._lines.popleft() if self._lines else None

    def _read_keyboard(self) -> None:
        try:
            data = os.read(KEYBOARD, 65536)
        except OSError:  # the terminal is gone
            data = b""
        self._lines += self._buffer.receive_data(data)
        if not data:
            self._ended = True
            if rest := self._buffer.take_rest():  # a last line without a newline
                self._lines.append(rest)

    def _stamp(self) -> str:
        return time.strftime("%H:%M:%S ") if self._timestamps else ""

    def _show_prompt(self, prompt: str) -> None:
        if self._interactive:
            with self._lock:
                self._prompt = prompt
                write_all(prompt)

    def _remove_prompt(self, leave: str) -> None:
        with self._lock:
            if self._prompt:
                write_all(leave)
            self._prompt = ""

    def _echoes(self) -> bool:
        with contextlib.suppress(termios.error):
            return bool(termios.tcgetattr(KEYBOARD)[ECHO_FLAGS] & termios.ECHO)
        return False

    @contextlib.contextmanager
    def _without_echo(self) -> Iterator[None]:
        """Switch the terminal's echo off, and back on whatever happens.

        `getpass` would do that too, but nothing could end it, and it throws away what was typed
        ahead.
        """
        if not self._echoes():
            yield
            return
        before = termios.tcgetattr(KEYBOARD)
        silent = termios.tcgetattr(KEYBOARD)
        silent[ECHO_FLAGS] &= ~termios.ECHO
        termios.tcsetattr(KEYBOARD, termios.TCSADRAIN, silent)
        try:
            yield
        finally:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(KEYBOARD, termios.TCSADRAIN, before)


def indented(text: str) -> str:
    """Return a text made harmless, its further lines indented."""
    return harmless(text).replace("\n", "\n    ")


def write_all(text: str) -> None:
    """Write all of `text`, as UTF-8; a screen that is gone is not worth a traceback."""
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(SCREEN, data) :]
    except OSError:
        pass
