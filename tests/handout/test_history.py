"""What a report says about the run before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grading.history import compare
from grading.model import RequirementResult, Result

OPTIONS: dict[str, Any] = {
    "directory": "mine",
    "server": None,
    "client": None,
    "attach": None,
    "stage": None,
}


def result(**outcomes: str) -> Result:
    """A result with these outcomes: r2_9="passed"."""
    requirements = [
        RequirementResult(key[1:].replace("_", "."), "", outcome, 0, 1, checks=[{"check": "x"}])
        for key, outcome in outcomes.items()
    ]
    return Result([], requirements, "mine", "0", "", "", "sum", "", 0.0)


def test_the_first_run_has_nothing_to_compare_with(tmp_path: Path) -> None:
    """Nothing is said where there was no earlier result."""
    assert compare(result(r2_9="failed"), OPTIONS, tmp_path) == ""


def test_what_passed_and_fails_now_has_regressed(tmp_path: Path) -> None:
    """Failed and skipped requirements are named; what never passed, or is waived, is not."""
    compare(result(r2_5="passed", r2_7="passed", r2_9="passed", r2_A="passed"), OPTIONS, tmp_path)
    now = result(r2_5="failed", r2_7="skipped", r2_9="passed", r2_A="waived", r2_0="failed")
    assert compare(now, OPTIONS, tmp_path) == "Regressed since last run: 2.5, 2.7"
    assert compare(now, OPTIONS, tmp_path) == "Regressed since last run: nothing"


def test_a_run_of_one_requirement_keeps_what_is_known_of_the_others(tmp_path: Path) -> None:
    """--only brings one requirement up to date."""
    compare(result(r2_5="passed", r2_7="passed"), OPTIONS, tmp_path)
    assert compare(result(r2_5="passed"), OPTIONS, tmp_path).endswith("nothing")
    assert compare(result(r2_5="passed", r2_7="failed"), OPTIONS, tmp_path).endswith("2.7")


def test_another_submission_is_another_story(tmp_path: Path) -> None:
    """Results of different submissions are not compared."""
    compare(result(r2_9="passed"), OPTIONS, tmp_path)
    other = OPTIONS | {"directory": "yours"}
    assert compare(result(r2_9="failed"), other, tmp_path) == ""


def test_one_stage_says_nothing_about_the_other(tmp_path: Path) -> None:
    """A run of one stage is neither compared nor kept."""
    compare(result(r2_9="passed"), OPTIONS, tmp_path)
    assert compare(result(r2_9="failed"), OPTIONS | {"stage": "wire"}, tmp_path) == ""
    assert compare(result(r2_9="passed"), OPTIONS, tmp_path).endswith("nothing")


def test_a_place_where_nothing_can_be_kept_is_no_failure(tmp_path: Path) -> None:
    """Where the grader may not write, it does without."""
    file = tmp_path / "file"
    file.touch()
    assert compare(result(r2_9="passed"), OPTIONS, file / "grades") == ""
