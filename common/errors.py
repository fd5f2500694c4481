"""The one exception for what a user can mend, and how a program ends because of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

FAILURE = 1
"""Exit status: the program understood what was wanted, and could not do it."""
USAGE = 2
"""Exit status: the command line makes no sense."""


class UserError(Exception):
    """A mistake or mishap to be told in one line that says what, where and what to do."""

    def __init__(self, message: str, status: int = FAILURE) -> None:
        super().__init__(message)
        self.status = status


def exit_status(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Run `main(argv)` and return its exit status; a UserError becomes one line on stderr."""
    _open_standard_files()
    try:
        return main(argv)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return error.status
    except KeyboardInterrupt:
        return 0


def _open_standard_files() -> None:
    """Make sure that 0, 1 and 2 are open: else the first socket would be our standard input."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is `fd`
