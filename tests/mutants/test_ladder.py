"""The ladder: the reference of milestone k keeps every promise of 2 to k, and not all of k + 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grading import judge, run
from grading.cli import reference
from grading.model import FAILED, PASSED, RequirementResult
from grading.rubric import load

pytestmark = pytest.mark.thorough


def grade(program: int, checks: int, workdir: Path) -> list[RequirementResult]:
    """The reference of one milestone, graded by the checks of another."""
    settings: dict[str, Any] = {"milestone": checks, "seed": "0"}
    settings |= {side: reference(program, side) for side in ("server", "client")}
    records = run.run_checks({checks: settings}, workdir, workers=2)
    return [one for one in judge.judge(load(), [checks], records, {}) if one.checks]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("program", "checks"), [(3, 2), (4, 2), (4, 3)])
def test_a_later_milestone_keeps_the_promises_of_an_earlier_one(
    program: int, checks: int, tmp_path: Path
) -> None:
    """What was graded before holds when more was built upon it."""
    results = grade(program, checks, tmp_path)
    assert [one.id for one in results if one.outcome != PASSED] == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", [1, 2, 3, 4])
def test_a_milestone_does_not_keep_all_promises_of_the_next(program: int, tmp_path: Path) -> None:
    """What comes next is not there yet."""
    results = grade(program, program + 1, tmp_path)
    assert [one.id for one in results if one.outcome == FAILED] != []
