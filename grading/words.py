"""The report in plain text, for course systems that show no more than that."""

from __future__ import annotations

from . import diagram, terminal
from .model import ERROR, FAILED, MANUAL, Record, RequirementResult, Result
from .text import check_name, visible

TOLD = 2
"""Failed checks of a requirement that are told; the rest is named."""


def summary(result: Result) -> str:
    """A few lines on the whole grading."""
    bonus = f" + {result.bonus} bonus" if result.bonus else ""
    lines = [f"Points: {result.points} of {result.max_points}{bonus}"]
    for one in result.milestones:
        left_out = "" if one.counts else " (does not count: the one before is incomplete)"
        lines.append(f"Milestone {one.milestone}: {one.points} of {one.max_points}{left_out}")
    if result.build:
        lines += ["", "The build failed:", visible(result.build, 3000)]
    if result.errors:
        lines += ["", "The grader itself broke. This is not your fault; tell your instructor:"]
        lines += [visible(error, 600) for error in result.errors[:5]]
    return "\n".join(lines)


def of_requirement(one: RequirementResult, result: Result) -> str:
    """What is to be said of one requirement."""
    if one.outcome == ERROR:
        return f"The grader itself broke here; nothing was taken off for it. {one.reason}"
    if one.outcome != FAILED:
        return one.reason if one.outcome != MANUAL else "Graded by the instructor."
    parts = [f"{one.passed_checks} of {one.counted_checks} checks hold."]
    parts += [of_check(check) for check in one.failures[:TOLD]]
    others = [check_name(check) for check in one.failures[TOLD:]]
    if others:
        parts.append(f"Failed as well: {', '.join(others[:40])}")
    if result.replay:
        parts.append(f"Replay just this: {terminal.replay(result, one)}")
    return "\n\n".join(parts)


def of_check(check: Record) -> str:
    """Promise, expectation, what came instead, and the sequence diagram."""
    lines = [check_name(check), f"Promised: {check['promise']}"]
    lines.append(f"Expected: {visible(check['expected'], 600)}")
    lines.append(f"Came:     {visible(check['came'] or 'Nothing.', 1200)}")
    if check.get("hint"):
        lines.append(f"Hint:     {visible(check['hint'], 400)}")
    drawn = diagram.of_check(check)
    if drawn:
        lines += [f"Frame:    {hint}" for hint in drawn.oddities[:6]]
        lines += ["", *diagram.as_text(drawn)]
    return "\n".join(lines)
