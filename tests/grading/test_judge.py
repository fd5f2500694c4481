"""The rules by which records become outcomes and points (grading/judge.py)."""

from __future__ import annotations

from typing import Any

import pytest

from grading.judge import judge, milestone_results
from grading.model import ERROR, FAILED, MANUAL, PASSED, SKIPPED, WAIVED, RequirementResult
from grading.rubric import Requirement, Rubric


def rubric(*requirements: Requirement, combine: str = "sum") -> Rubric:
    return Rubric(requirements, combine, "digest")


def record(requirement: str, outcome: str = PASSED, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{requirement}{more}",
        "check": "test_it",
        "case": "",
        "stage": "terminal",
        "requirements": [requirement],
        "promise": "It is so.",
        "outcome": outcome,
        "kind": "missing" if outcome == FAILED else "",
        "rests_on": [],
        "expected": "it is so",
        "came": "It is not.",
        "hint": "",
        "seconds": 0.1,
        "story": [],
        **more,
    }


FRAMES = Requirement("2.0", "frames", 4, scored="share")
LOGIN = Requirement("2.1", "log in", 2, core="test_login")
TALK = Requirement("2.9", "talk", 3, rests_on=("2.1",))


def results_of(*records: dict[str, Any]) -> dict[str, RequirementResult]:
    results = judge(rubric(FRAMES, LOGIN, TALK), [2], list(records), {})
    return {one.id: one for one in results}


def test_all_checks_passed() -> None:
    talk = results_of(record("2.9"), record("2.9", stage="wire"))["2.9"]
    assert (talk.outcome, talk.points) == (PASSED, 3)


def test_one_failed_check_costs_all_points() -> None:
    talk = results_of(record("2.9"), record("2.9", FAILED, case="other"))["2.9"]
    assert (talk.outcome, talk.points, talk.passed_checks) == (FAILED, 0, 1)
    assert "It is not." in talk.reason


def test_a_share_is_rounded_down() -> None:
    cases = [record("2.0", case=str(n)) for n in range(6)]
    frames = results_of(*cases, record("2.0", FAILED, case="lost"))["2.0"]
    assert (frames.outcome, frames.points) == (FAILED, 4 * 6 // 7)


@pytest.mark.parametrize("kind", ["missing", "setup"])
def test_what_holds_on_the_terminal_alone_is_a_dialect(kind: str) -> None:
    results = results_of(
        record("2.9"), record("2.9", FAILED, stage="wire", kind=kind), record("2.0")
    )
    assert (results["2.9"].outcome, results["2.9"].points) == (PASSED, 3)
    assert (results["2.0"].outcome, results["2.0"].points) == (FAILED, 2)
    assert "2.9" in results["2.0"].checks[-1]["expected"]


def test_a_leak_counts_on_either_stage() -> None:
    talk = results_of(record("2.9"), record("2.9", FAILED, stage="wire", kind="forbidden"))["2.9"]
    assert talk.outcome == FAILED


def test_a_failure_on_the_terminal_stays_one() -> None:
    talk = results_of(record("2.9", FAILED), record("2.9", stage="wire"))["2.9"]
    assert talk.outcome == FAILED


def test_a_wire_check_is_waived_by_the_same_check_on_the_terminal() -> None:
    talk = results_of(
        record("2.9", check="test_one"),
        record("2.9", FAILED, check="test_one", stage="wire"),
        record("2.9", FAILED, check="test_two"),
    )["2.9"]
    assert [check["outcome"] for check in talk.checks] == [PASSED, WAIVED, FAILED]


def test_what_rests_on_a_failure_is_skipped_and_names_it() -> None:
    talk = results_of(record("2.1", FAILED, check="test_login"), record("2.9", FAILED))["2.9"]
    assert (talk.outcome, talk.reason) == (SKIPPED, "rests on 2.1")


def test_a_failure_beside_the_core_explains_nothing() -> None:
    talk = results_of(record("2.1", FAILED, check="test_other"), record("2.9", FAILED))["2.9"]
    assert talk.outcome == FAILED


def test_what_passed_stays_passed() -> None:
    talk = results_of(record("2.1", FAILED, check="test_login"), record("2.9"))["2.9"]
    assert (talk.outcome, talk.points) == (PASSED, 3)


def test_a_check_that_could_not_begin_is_skipped() -> None:
    talk = results_of(
        record("2.1", FAILED, check="test_login"),
        record("2.9", FAILED, kind="setup", rests_on=["2.1"]),
    )["2.9"]
    assert talk.outcome == SKIPPED


def test_only_waived_checks_leave_the_points_out() -> None:
    results = judge(rubric(TALK), [2], [record("2.9", WAIVED, came="no IPv6 here")], {})
    assert (results[0].outcome, results[0].reason) == (WAIVED, "no IPv6 here")
    assert milestone_results(rubric(TALK), [2], results)[0].max_points == 0


def test_our_own_fault_is_not_the_students() -> None:
    assert results_of(record("2.9"), record("2.9", ERROR, case="x"))["2.9"].outcome == ERROR


def test_manual_points_come_from_the_instructor() -> None:
    manual = Requirement("1.8", "a list", 1, manual=True)
    (without,) = judge(rubric(manual), [1], [], {})
    (given,) = judge(rubric(manual), [1], [], {"1.8": 5})
    assert (without.outcome, without.points) == (MANUAL, 0)
    assert given.points == 1  # never more than there are


def test_the_order_of_the_records_changes_nothing() -> None:
    records = [
        record("2.1", FAILED, check="test_login"),
        record("2.9", FAILED, case="a"),
        record("2.9", stage="wire", case="b"),
        record("2.0", FAILED, case="c"),
    ]
    forth = {k: (v.outcome, v.points) for k, v in results_of(*records).items()}
    back = {k: (v.outcome, v.points) for k, v in results_of(*reversed(records)).items()}
    assert forth == back


def test_a_ladder_counts_a_milestone_only_when_the_one_before_is_complete() -> None:
    first, second = Requirement("1.1", "one", 2), Requirement("2.1", "two", 3)
    for outcome, counts in ((PASSED, True), (FAILED, False)):
        ladder = rubric(first, second, combine="ladder")
        results = judge(ladder, [1, 2], [record("1.1", outcome), record("2.1")], {})
        assert milestone_results(ladder, [1, 2], results)[1].counts is counts
