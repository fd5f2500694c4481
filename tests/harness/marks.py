"""How a check says what it grades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

Check = TypeVar("Check", bound=Callable[..., Any])

TERMINAL = "terminal"
WIRE = "wire"


def requirement(*ids: str, stages: tuple[str, ...] = (TERMINAL, WIRE)) -> Callable[[Check], Check]:
    """This check grades these requirements, on these stages.

    In an id such as "N.B" the N stands for the milestone in whose directory the check lies (or
    into which it was imported).
    """
    mark = pytest.mark.requirement(*ids, stages=stages)

    def decorate(check: Check) -> Check:
        marked: Check = mark(check)
        return marked

    return decorate


on_terminal = (TERMINAL,)
on_wire = (WIRE,)
