"""The ways in which a check can end, other than well.

Which one it is decides what the grader makes of it (grading/judge.py), so a check raises through
the actors' methods, which know: `sees` raises Missing, `sees_nothing_of` raises Forbidden.
"""

from __future__ import annotations

from typing import ClassVar


class CheckFailure(AssertionError):
    """A promise was broken. `expected` and `came` are whole sentences for the student; `rests_on`
    names the ids that promise what this check only needed."""

    kind: ClassVar[str] = "missing"

    def __init__(
        self, expected: str, came: str = "", hint: str = "", rests_on: tuple[str, ...] = ()
    ) -> None:
        self.rests_on = rests_on
        self.expected = expected
        self.came = came
        self.hint = hint
        super().__init__(f"{expected} {came}".strip())


class Missing(CheckFailure):
    """Something that was promised did not come. On the wire this may be a mere dialect."""


class Forbidden(CheckFailure):
    """Something that must not happen was seen. It counts on whichever stage it was seen."""

    kind = "forbidden"


class NotReady(CheckFailure):
    """The play could not begin: no server, no connection, no login."""

    kind = "setup"

    def __init__(self, rests_on: tuple[str, ...], expected: str, came: str = "") -> None:
        super().__init__(expected, came, rests_on=rests_on)


class Waived(Exception):
    """This check cannot be made here or with this program; it leaves the requirement's list."""


class GraderError(Exception):
    """Our own fault (no terminal left, no port): never held against the student."""
