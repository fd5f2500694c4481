"""A terminal window with a program in it: keys are typed, the screen is compared.

pyte understands what terminals understand, so what is compared is what a person would see, not
the bytes that made it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

ROOT = Path(__file__).resolve().parents[2]
pyte.graphics.TEXT[2] = "+italics"  # it knows no dim text; and nothing of ours is italic
DEADLINE = 30.0
"""Seconds; the right screen ends the waiting at once, so only a wrong one takes them."""
HOME, END, LEFT, RIGHT, UP, DOWN = "\x1b[H", "\x1b[F", "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"


class Window:
    """One program in a window of its own."""

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._fd, tty = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.resize(columns, rows)
        self.mode_before = termios.tcgetattr(tty)
        clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=tty,
            stdout=tty,
            stderr=tty,
            env={**clean, "TERM": "xterm-256color", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(tty)

    def resize(self, columns: int, rows: int = 24) -> None:
        """Give the window another size; the program gets a SIGWINCH."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys; Enter is `\\r`."""
        data = keys.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self._fd, data[:1000]) :]
            self._read(0)

    @property
    def rows(self) -> list[str]:
        """The rows of the screen down to the cursor's, without blanks at their ends."""
        return [row.rstrip() for row in self.screen.display[: self.screen.cursor.y + 1]]

    @property
    def cursor(self) -> int:
        """The column of the cursor, from 0."""
        return int(self.screen.cursor.x)

    @property
    def mode(self) -> list[Any]:
        """The terminal's present mode, to be compared with `mode_before`."""
        return termios.tcgetattr(self._fd)

    def expect(self, *rows: str, cursor: int | None = None) -> None:
        """Wait until the last rows, down to the cursor's, are these, and the cursor is there."""
        self.until(
            lambda: (
                self.rows[-len(rows) :] == list(rows) and (cursor is None or cursor == self.cursor)
            ),
            f"{list(rows)}, the cursor in column {'any' if cursor is None else cursor}",
        )

    def expect_text(self, text: str) -> None:
        """Wait until a text stands somewhere on the screen."""
        self.until(lambda: text in "\n".join(self.rows), repr(text))

    def expect_like(self, *patterns: str, cursor: int | None = None) -> None:
        """Wait until the last rows match these regular expressions, and the cursor is there."""
        self.until(
            lambda: (
                len(self.rows) >= len(patterns)
                and all(map(re.fullmatch, patterns, self.rows[-len(patterns) :]))
                and (cursor is None or cursor == self.cursor)
            ),
            f"{list(patterns)}, the cursor in column {'any' if cursor is None else cursor}",
        )

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Read on until something holds. Raises AssertionError with the screen."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            alive = self._read(deadline - time.monotonic())
            if (not alive or time.monotonic() > deadline) and not condition():
                shown = "\n".join(self.rows)
                raise AssertionError(f"not on the screen: {what}\n{shown}\ncursor {self.cursor}")

    def wait(self) -> int:
        """Wait until the program ends; return its exit status."""
        while self._read(DEADLINE):
            pass
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                if self.process.poll() is None:
                    os.killpg(self.process.pid, number)
                    self.process.wait(DEADLINE / 3)
        os.close(self._fd)

    def _read(self, timeout: float) -> bool:
        """Take more output; False when there will be none, or none came in time."""
        if not select.select([self._fd], [], [], max(0.0, timeout))[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the program has ended
            return False
        self.output += data
        self._stream.feed(data)
        return bool(data)


def client_command(package: str, port: int, *options: str) -> list[str]:
    """Return the command line of a milestone's client."""
    script = ROOT / package / "client.py"
    return [sys.executable, str(script), *options, "localhost", str(port)]
