"""A terminal that hands over every key at once and unechoed, and is itself again afterwards.

Usually the kernel edits the line, and a program sees it with Enter. A program that edits lines
itself switches that off. The switch belongs to the terminal, not to us: who forgets to switch back
leaves the user with a shell that shows nothing of what is typed. So we switch back whichever way
we leave: at the end and on errors (`atexit`), on Ctrl-C (the signal becomes an exception that
ends the program in order), and on Ctrl-Z, which stops us until `fg`. Ctrl-\\, which would end us
on the spot, is switched off.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import termios
from types import FrameType
from typing import Any, Final

_IFLAG, _LFLAG, _CC = 0, 3, 6
"""Where `tcgetattr` puts the flags of the input, those of the line, and the special characters."""
_BRACKETS_ON: Final = b"\x1b[?2004h"
"""Asks the terminal to put ESC[200~ and ESC[201~ around pasted text."""
_BRACKETS_OFF: Final = b"\x1b[?2004l"


class RawMode:
    """The mode of a terminal, and the signals that have to do with it."""

    def __init__(self, keyboard: int, screen: int) -> None:
        """`screen` is a non-blocking descriptor: a stopped terminal must not keep us."""
        self.active = False
        self._keyboard = keyboard
        self._screen = screen
        self._before: list[Any] | None = None
        # A signal does not end a poll(). A pipe does, into which its handler writes.
        self.wakeup, self._alarm = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(self._alarm, False)

    def enter(self) -> None:
        """Take keys one by one from now on, unless we run in the background."""
        try:
            if self.active or self._in_background():
                return
            mode = termios.tcgetattr(self._keyboard)
            if self._before is None:
                self._before = termios.tcgetattr(self._keyboard)
                self._catch_signals()
                atexit.register(self.leave)
            self.active = True  # first: a signal may come at once
            mode[_IFLAG] |= termios.ICRNL
            mode[_LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
            mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
            mode[_CC][termios.VQUIT] = bytes([os.fpathconf(self._keyboard, "PC_VDISABLE") & 0xFF])
            termios.tcsetattr(self._keyboard, termios.TCSANOW, mode)
            self._ask_for_brackets(_BRACKETS_ON)
        except (OSError, termios.error):
            pass  # it is gone: reading will tell

    def leave(self) -> None:
        """Give the terminal back as it was. May be called again."""
        if self.active and self._before is not None:
            self._ask_for_brackets(_BRACKETS_OFF)
            # Not TCSADRAIN: a terminal stopped by Ctrl-S would keep us for ever.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._before)
            self.active = False

    def drain(self) -> bool:
        """Empty the pipe `wakeup`; say whether we were stopped meanwhile."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.wakeup, 1024)
        return b"c" in data

    def _in_background(self) -> bool:
        """Say whether the terminal is somebody else's now: it would stop us."""
        try:
            return os.tcgetpgrp(self._keyboard) != os.getpgrp()
        except OSError:  # no terminal of our own: no background either
            return False

    def _catch_signals(self) -> None:
        with contextlib.suppress(ValueError):  # not the main thread: then without
            signal.signal(signal.SIGWINCH, lambda _number, _frame: self._wake(b"w"))
            signal.signal(signal.SIGTSTP, self._stop)
            signal.signal(signal.SIGCONT, self._continued)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: put things in order, then stop as everybody does."""
        self.leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Here we stand still until `fg`.
        signal.signal(number, self._stop)
        self._wake(b"c")

    def _continued(self, _number: int, _frame: FrameType | None) -> None:
        self.active = False  # the shell has changed the mode meanwhile
        self._wake(b"c")

    def _wake(self, reason: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._alarm, reason)

    def _ask_for_brackets(self, request: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._screen, request)
