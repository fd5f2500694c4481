"""Keyboard and screen of a client, without ever waiting for either.

Lines come in, texts go out, and a prompt stands below the texts while the screen is a terminal.
Input from a pipe works to its last line, and output into a pipe has no prompts in it.

Neither file is switched to O_NONBLOCK: that flag belongs to the open file, which the shell and
the user's other programs share. It would outlive us, and they would fail in strange ways.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from typing import Final

from common.colours import Look
from common.errors import UserError
from common.lines import LineBuffer
from common.text import harmless

_READ_SIZE: Final = 64 * 1024
_PATIENCE: Final = 5000
"""Milliseconds that a stopped terminal (Ctrl-S) may take before we end without the last texts."""


class Console:
    """Standard input and standard output, line by line."""

    wakeup: int | None = None
    """A descriptor to wait on for READ, before `woken`: signals that change the screen."""

    def __init__(self, keyboard: int = 0, screen: int = 1, *, timestamps: bool = False) -> None:
        self.complete: Callable[[str], list[str]] = lambda _start: []
        """What the Tab key asks: it takes the line up to the cursor, and returns all that it may
        become. A plain console never does."""
        self.at_end = False
        """No further line will come: the pipe is empty, or the user typed Ctrl-D."""
        self._keyboard = keyboard
        self._screen = screen
        self._timestamps = timestamps
        self._typed = LineBuffer()
        self._pending = bytearray()  # to be written
        self._terminal = os.isatty(screen)
        if self._terminal:
            self._screen = open_again(screen)
        self._erase = "\n" if os.environ.get("TERM", "dumb") == "dumb" else "\r\x1b[K"
        self._prompt = ""
        self._status = ""
        self._prompt_shown = False

    # Keyboard

    def fileno(self) -> int:
        """Return the descriptor to wait on for READ, before `read_lines`."""
        return self._keyboard

    def read_lines(self) -> Iterable[str]:
        """Return the lines completed since last time; to be called when there is input.

        Bytes that are not UTF-8 come as Python's surrogate escapes, so that they can be restored.
        """
        try:
            data = os.read(self._keyboard, _READ_SIZE)
        except OSError:  # closed, or its terminal is gone
            data = b""
        lines = self._typed.receive_data(data)
        if not data:
            self.at_end = True
            rest = self._typed.take_rest()
            lines = [rest] if rest else []
        elif lines:
            self._prompt_shown = False  # Enter moved the cursor to a new line
        return [line.removesuffix(b"\r").decode("utf-8", "surrogateescape") for line in lines]

    # Screen

    def show(self, text: str, look: Look = Look.CHAT) -> None:
        """Show `text` above the prompt. Control characters in it are made harmless.

        `look` is for terminals with colours.
        """
        self._erase_prompt()
        self._write(self._stamp() + harmless(text) + "\n")

    def complain(self, text: str) -> None:
        """Show what went wrong."""
        self.show(text, Look.ERROR)

    def set_prompt(self, prompt: str) -> None:
        """Show `prompt` below all texts from now on; empty: none, as no line is expected."""
        if prompt != self._prompt:
            self._erase_prompt()
            self._prompt = prompt

    def set_status(self, status: str) -> None:
        """Show a line about something under way beside the prompt; empty: nothing any more."""
        if status != self._status and self._erase.startswith("\r"):
            self._erase_prompt()
            self._status = status.replace("\n", "  ")

    @property
    def backlog(self) -> int:
        """Bytes that the screen has not taken yet."""
        return len(self._pending)

    def screen_fileno(self) -> int:
        """Return the descriptor to wait on for WRITE while there is a backlog."""
        return self._screen

    def flush(self) -> None:
        """Draw the prompt if it is missing, and write what the screen takes without waiting.

        Raises UserError if nobody will ever read it.
        """
        if self._terminal and self._prompt and not self._prompt_shown and not self.at_end:
            self._write(f"{self._status} {self._prompt}".lstrip())
            self._prompt_shown = True
        while self._pending and self._has_room(0):
            self._write_some()

    def close(self) -> None:
        """Write the rest, below the prompt. Raises UserError as `flush` does."""
        if self._prompt_shown:
            self._write("\n")
            self._prompt_shown = False
        # Somebody may read a pipe slowly, page by page; a stopped terminal we leave after a while.
        while self._pending and self._has_room(_PATIENCE if self._terminal else None):
            self._write_some()

    def woken(self) -> None:
        """There is something to read from `wakeup`."""

    def _stamp(self) -> str:
        return time.strftime("%H:%M:%S ") if self._timestamps else ""

    def _erase_prompt(self) -> None:
        if self._prompt_shown:
            self._write(self._erase)
            self._prompt_shown = False

    def _write(self, text: str) -> None:
        self._pending += text.encode("utf-8", "replace")

    def _has_room(self, timeout: int | None) -> bool:
        poll = select.poll()
        poll.register(self._screen, select.POLLOUT)
        return bool(poll.poll(timeout))

    def _write_some(self) -> None:
        # poll() promises room for PIPE_BUF bytes in a pipe; a longer write might wait.
        try:
            written = os.write(self._screen, self._pending[: select.PIPE_BUF])
        except BlockingIOError:
            return
        except OSError as error:
            self._pending.clear()
            raise UserError(f"cannot write to the screen: {error.strerror}") from None
        del self._pending[:written]


def open_again(terminal: int) -> int:
    """Return a second, non-blocking descriptor of a terminal: its flags are ours alone."""
    try:
        return os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a terminal of another user, say: then poll() has to do
        return terminal
