"""The server's log: one line per event, on stderr."""

from __future__ import annotations

import contextlib
import sys
import time

from common.text import harmless


class Log:
    """Writes `19:23:05 EVENT` lines, or nothing when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def __call__(self, event: str) -> None:
        """Log one event. A log that nobody can read any more must not stop the server."""
        if self._quiet:
            return
        with contextlib.suppress(OSError, ValueError):
            line = harmless(event).replace("\n", "\\n")
            print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)
