"""From what the checks saw to outcomes and points.

The rules, in the order in which they are applied:

1. The terminal decides. A positive promise (`missing`, `setup`) that holds on the terminal and
   fails on the wire is a dialect: the wire check is waived, and requirement 2.0 (5.1 in milestone
   5) is charged with it, once. In milestone 1 the framing is free, and nothing is charged.
2. What must not happen counts wherever it was seen (`forbidden`).
3. A requirement passes when every check that is left has passed; one scored by share gets the
   share that has, rounded down.
4. One fault, one failure: a check that could not begin because of what another requirement
   promises, and a requirement that failed and rests on one that did not pass, is skipped and
   names it. What passed stays passed.

All of this happens after the run, so that the order of the checks, and how many run at a time,
change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .model import (
    ERROR,
    FAILED,
    MANUAL,
    PASSED,
    SKIPPED,
    WAIVED,
    MilestoneResult,
    Record,
    RequirementResult,
)
from .rubric import Requirement, Rubric

FRAMING = {2: "2.0", 3: "", 4: "", 5: "5.1"}
"""The requirement that a dialect is charged to; in milestones 3 and 4 it was charged before."""


def judge(
    rubric: Rubric, milestones: Iterable[int], records: list[Record], manual: Mapping[str, int]
) -> list[RequirementResult]:
    """Outcome and points of every requirement of these milestones."""
    results: dict[str, RequirementResult] = {}
    for milestone in milestones:
        dialect: list[str] = []
        for requirement in rubric.of(milestone):
            checks = [dict(r) for r in records if requirement.id in r["requirements"]]
            if requirement.id not in FRAMING.values() and waive_dialect(checks):
                dialect.append(requirement.id)
            results[requirement.id] = score(requirement, checks, manual.get(requirement.id))
        framing = FRAMING.get(milestone)
        if dialect and framing and results[framing].checks:
            charge(results[framing], rubric[framing], dialect)
    skip_what_rests_on_failures(rubric, results)
    return list(results.values())


def waive_dialect(checks: list[Record]) -> bool:
    """Rule 1: waive the wire checks that only a dialect has failed; True when there were any.

    What decides is the same check on the terminal or, where it has none, all that this
    requirement has there.
    """
    waived = False
    for check in checks:
        failed = check["outcome"] == FAILED and check["kind"] in ("missing", "setup")
        if check["stage"] == "wire" and failed and holds_on_terminal(check, checks):
            check["outcome"] = WAIVED
            check["came"] = f"It holds on the terminal; on the wire: {check['came']}"
            waived = True
    return waived


def holds_on_terminal(check: Record, checks: list[Record]) -> bool:
    """True when the terminal shows that this promise is kept."""
    terminal = [c for c in checks if c["stage"] == "terminal" and c["outcome"] != WAIVED]
    same = [c for c in terminal if (c["check"], c["case"]) == (check["check"], check["case"])]
    return bool(terminal) and all(c["outcome"] == PASSED for c in same or terminal)


def score(requirement: Requirement, checks: list[Record], manual: int | None) -> RequirementResult:
    """Rule 3, for one requirement."""
    result = RequirementResult(
        requirement.id,
        requirement.promise,
        WAIVED,
        0,
        requirement.points,
        bonus=requirement.bonus,
        hidden=requirement.hidden,
        seconds=round(sum(check["seconds"] for check in checks), 3),
        checks=checks,
    )
    if requirement.manual:
        result.outcome, result.reason = MANUAL, "for the instructor"
        if manual is not None:
            result.points = max(0, min(manual, requirement.points))
        return result
    counted = [check for check in checks if check["outcome"] != WAIVED]
    passed = [check for check in counted if check["outcome"] == PASSED]
    result.counted_checks, result.passed_checks = len(counted), len(passed)
    if not counted:
        reasons = {check["came"] for check in checks} or {"no check was run"}
        result.reason = "; ".join(sorted(reasons))[:500]
    elif len(passed) == len(counted):
        result.outcome, result.points = PASSED, requirement.points
    elif any(check["outcome"] == FAILED for check in counted):
        first = min((c for c in counted if c["outcome"] == FAILED), key=_says_less)
        result.outcome = FAILED
        result.reason = f"{first['expected']}. {first['came']}".strip()
        if requirement.by_share:
            result.points = requirement.points * len(passed) // len(counted)
    else:
        broken = next(check for check in counted if check["outcome"] == ERROR)
        result.outcome = ERROR
        result.reason = f"the grader's own fault in {broken['check']}"
    return result


def _says_less(check: Record) -> tuple[bool, bool]:
    """What is seen on the terminal explains a failure best, and what came better than what did not
    begin: the least of these is told first."""
    return check["kind"] == "setup", check["stage"] == "wire"


def charge(framing: RequirementResult, requirement: Requirement, dialect: list[str]) -> None:
    """A dialect is one more case that the framing requirement has lost."""
    which = ", ".join(dialect)
    case = {
        "id": f"dialect of {which}",
        "check": "dialect",
        "case": "",
        "stage": "wire",
        "requirements": [framing.id],
        "promise": "What holds on the terminal holds for whoever speaks the official frames.",
        "outcome": FAILED,
        "kind": "missing",
        "rests_on": [],
        "expected": f"{which} hold for a peer that speaks the protocol as it is written",
        "came": "They hold between the submission's own two programs only: it speaks a dialect.",
        "hint": "",
        "seconds": 0.0,
        "story": [],
    }
    charged = score(requirement, [*framing.checks, case], None)
    framing.__dict__.update(charged.__dict__)


def skip_what_rests_on_failures(rubric: Rubric, results: dict[str, RequirementResult]) -> None:
    """Rule 4. A requirement that keeps a share of its points stays failed."""
    failed = {key for key, one in results.items() if one.outcome in (FAILED, ERROR)}
    broken = {key for key, one in results.items() if is_broken(rubric[key], one, failed)}
    for key in list(results):
        result = results[key]
        if result.outcome != FAILED or result.points:
            continue
        others = failed - {key}  # nothing rests on itself
        own = [c for c in result.failures if not others.intersection(c["rests_on"])]
        if not own:
            named = {one for check in result.failures for one in check["rests_on"]} & others
            result.outcome = SKIPPED
            result.reason = f"rests on {', '.join(sorted(named))}"
            continue
        causes = [c for c in _causes(rubric, key, set()) if c in broken]
        if causes:
            result.outcome = SKIPPED
            result.reason = f"rests on {', '.join(causes)}"


def is_broken(requirement: Requirement, result: RequirementResult, failed: set[str]) -> bool:
    """True when what others rest on does not hold, and for a reason of its own."""
    if result.outcome not in (FAILED, ERROR):
        return False
    return any(
        check["outcome"] in (FAILED, ERROR)
        and requirement.core in ("", check["check"])
        and not (failed - {requirement.id}).intersection(check["rests_on"])
        for check in result.checks
    )


def _causes(rubric: Rubric, key: str, seen: set[str]) -> list[str]:
    """What `key` rests on, directly first, then what those rest on."""
    direct = [other for other in rubric[key].rests_on if other not in seen]
    seen.update(direct)
    return direct + [far for other in direct for far in _causes(rubric, other, seen)]


def milestone_results(
    rubric: Rubric, milestones: Iterable[int], results: list[RequirementResult]
) -> list[MilestoneResult]:
    """Points of each milestone; the policy decides which of them count."""
    summary = []
    complete = True
    for number in milestones:
        mine = [one for one in results if one.milestone == number]
        inside = [one for one in mine if not one.bonus]
        summary.append(
            MilestoneResult(
                number,
                points=sum(one.points for one in inside),
                max_points=sum(one.max_points for one in inside if one.outcome != WAIVED),
                bonus=sum(one.points for one in mine if one.bonus),
                counts=rubric.combine == "sum" or complete,
            )
        )
        complete = complete and all(one.outcome in (PASSED, WAIVED, MANUAL) for one in inside)
    return summary
