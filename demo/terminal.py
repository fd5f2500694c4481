"""A program on a pseudo-terminal of its own: typed to, and read, by another program.

A pipe would do for us, but not for everybody: many programs show prompts, or anything at all
before they end, only if their output is a terminal.
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
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DEADLINE = 20.0
"""Seconds for anything expected; a right answer returns at once, so only a wrong one waits."""


class Terminal:
    """One program, its keyboard in our hands and its screen before our eyes."""

    def __init__(self, command: Sequence[str], cwd: Path, *, columns: int = 200) -> None:
        """Start `command` in `cwd`, as the foreground program of a new plain terminal."""
        self._fd, tty = pty.openpty()
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=tty,
            stdout=tty,
            stderr=tty,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
            # So that Ctrl-C, typed, becomes a SIGINT.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(tty)
        os.set_blocking(self._fd, False)
        self.screen = ""
        """Everything shown so far, with plain line ends."""

    def type(self, text: str) -> None:
        """Press the keys of `text`; a line needs its newline."""
        os.write(self._fd, text.encode())

    def expect(self, text: str, *, after: int = 0) -> int:
        """Wait until `text` stands on the screen behind offset `after`; return the offset behind.

        Raises AssertionError with the screen when the deadline passes or the program has ended.
        """
        self._until(lambda: text in self.screen[after:], repr(text))
        return self.screen.index(text, after) + len(text)

    def expect_prompt(self) -> None:
        """Wait until the last line of the screen is not finished: the program waits for us."""
        self._until(lambda: self.screen[-1:] not in ("", "\n"), "a prompt")

    def wait(self) -> int:
        """Wait until the program has ended by itself; return its exit status."""
        while self._read(DEADLINE):
            pass
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        """End the program, if need be."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                if self.process.poll() is None:
                    os.killpg(self.process.pid, number)
                    self.process.wait(DEADLINE)
        os.close(self._fd)

    def read_now(self) -> None:
        """Take what has been shown already, without waiting."""
        while select.select([self._fd], [], [], 0)[0] and self._read(0):
            pass

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            alive = self._read(deadline - time.monotonic())
            if (not alive or time.monotonic() > deadline) and not condition():
                raise AssertionError(f"{what} did not appear. The screen:\n{self.screen}")

    def _read(self, timeout: float) -> bool:
        """Take more output; False when there will be none, or none came in time."""
        if not select.select([self._fd], [], [], max(0.0, timeout))[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux: the program has closed the other side
            return False
        self.screen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


def start_server(command: Sequence[str], cwd: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a server on a free port; return it and the port that it prints."""
    server = subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    found = re.search(r"port (\d+)", server.stdout.readline())
    if found is None:
        server.kill()
        raise AssertionError("the server did not say which port it listens on")
    return server, int(found[1])
