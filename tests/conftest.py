"""What takes long begins first, with other work beside it: whole gradings, then mutants."""

from __future__ import annotations

import pytest

LONG = ("grader", "handout", "mutants")
"""Folders whose tests take longest, in this order; within one, the later milestones do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of these folders in front, the last of each first; the others keep their
    order."""
    first = [item for item in reversed(items) if item.path.parent.name in LONG]
    first.sort(key=lambda item: LONG.index(item.path.parent.name))
    items[:] = first + [item for item in items if item.path.parent.name not in LONG]
