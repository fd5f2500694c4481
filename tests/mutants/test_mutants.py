"""Mutants meet their own requirement and its neighbours; `make mutants` prints the whole matrix.

There are some two hundred, and each is a grading of its own. So `make test` is content with the
quickest way to see each of them caught where it belongs; `make test-all` makes all those checks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grading.rubric import load
from tests.grader.support import without_coverage

from .emptied import emptied
from .grade import grade, grade_quickly, neighbours
from .registry import FOLDERS, Mutant, find, mutants

ROOT = Path(__file__).resolve().parents[2]
ALL = mutants(*FOLDERS)


@pytest.fixture(autouse=True)
def _without_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a grading starts is measured by other tests."""
    for name in os.environ.keys() - without_coverage().keys():
        monkeypatch.delenv(name)


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


def test_of_a_neighbour_one_check_is_made() -> None:
    """`:1` is the first check on the stage that was chosen."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    only = ["--stage=terminal", "--only=2.0:1", "--only=2.9/test_a_forged_sender_name:1"]
    listing = subprocess.run(
        [*command, *only, "--only=2.10", "tests/milestone2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    found = [line.split("::")[1] for line in listing.stdout.splitlines() if "::" in line]
    assert found == [
        "test_the_client_sends_frames[terminal]",
        "test_a_message_to_nobody_is_reported[terminal]",
        "test_a_message_to_nobody_does_not_look_delivered[terminal]",
    ]
