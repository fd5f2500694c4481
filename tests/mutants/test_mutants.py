"""Mutants meet their own requirement and its neighbours; `make mutants` prints the whole matrix.

There are some two hundred, and each is a grading of its own. So `make test` is content with the
quickest way to see each of them caught where it belongs; `make test-all` makes all those checks.
"""

from __future__ import annotations

import pytest

from grading.rubric import load

from .emptied import emptied
from .grade import grade, grade_quickly, neighbours
from .registry import FOLDERS, Mutant, find, mutants

ALL = mutants(*FOLDERS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", ALL, ids=[one.key for one in ALL])
def test_a_mutant_is_caught_where_it_belongs(mutant: Mutant) -> None:
    """Its own requirement fails, and the neighbours hold at their core."""
    verdict = grade_quickly(mutant)
    assert mutant.requirement in verdict.killed_by, f"{verdict.outcomes}"
    assert not verdict.unwanted, f"{verdict.unwanted}: {verdict.failed}"


def test_a_crash_is_no_answer() -> None:
    """That the client says `connection closed` before the server's process is gone misleads
    nobody: 2.10 fails on the terminal, too, and is not waived as a dialect's."""
    verdict = grade(find("2/crashes-on-unknown-receivers"), ["2.10"])
    assert verdict.killed_by == ["2.10"], f"{verdict.outcomes}: {verdict.failed}"


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", ALL, ids=[one.key for one in ALL])
def test_a_mutant_is_caught_by_nothing_beside(mutant: Mutant) -> None:
    """Its own requirement fails, and none of those beside it does."""
    verdict = grade(mutant, neighbours(mutant, load()))
    assert not verdict.problems, f"{verdict.problems}: {verdict.failed}"


def test_every_automatic_requirement_has_a_mutant() -> None:
    """Nothing is graded that was never seen to fail."""
    wanted = {one.id for one in load().requirements if not one.manual}
    have = {requirement for one in ALL for requirement in (one.requirement, *one.also)}
    assert wanted - have == set()


def test_every_mutant_has_a_requirement_and_a_fault() -> None:
    """A reader of the table can tell what each of them is."""
    rubric = load()
    for one in ALL:
        assert one.requirement in rubric, one.key
        assert one.fault.endswith("."), one.key


def test_emptied_functions_are_found() -> None:
    """The automatic mutants are there, and can be named on the command line."""
    keys = {one.key for one in emptied(2)}
    assert "2/emptied.server.ChatServer.list_users" in keys
    assert find("2/emptied.server.ChatServer.list_users").requirement == "2.5"
