"""The report as one HTML page: no script, no network, everything from a submission escaped.

The page's own policy forbids scripts and every request, so that even a hole in the escaping would
lead nowhere. Frames are shown by the style sheet alone, when the pointer or the focus is on an
arrow; a tap or Enter goes to the frame's table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from . import diagram, terminal
from .model import ERROR, FAILED, MANUAL, PASSED, SKIPPED, WAIVED, Record, RequirementResult, Result
from .text import check_name, one_line, visible, why_it_ended

TEMPLATES = Path(__file__).with_name("templates")
TOLD = 12
"""Failed checks of one requirement that are told in full; the others are named."""
TOLD_IN_ALL = 80
SIGNS = {PASSED: "✓", FAILED: "✗", SKIPPED: "↷", WAIVED: "○", ERROR: "!", MANUAL: "✎"}
"""Outcome -> a sign beside the word, for whoever cannot tell the colours."""


def write(result: Result, path: Path) -> None:
    """Write the page. Raises OSError."""
    path.write_text(page(result), encoding="utf-8")


def page(result: Result) -> str:
    """The page as text."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(seen=visible, line=one_line)
    return env.get_template("report.html").render(
        result=result,
        title=title(result),
        signs=SIGNS,
        stories=stories(result),
        replay=terminal.replay,
        most_steps=diagram.MOST_STEPS,
    )


def title(result: Result) -> str:
    """`Milestone 2: 13 of 30 points`."""
    numbers = [str(one.milestone) for one in result.milestones]
    which = f"Milestone {numbers[0]}" if len(numbers) == 1 else f"Milestones {', '.join(numbers)}"
    bonus = f" + {result.bonus} bonus" if result.bonus else ""
    return f"{which}: {result.points} of {result.max_points} points{bonus}"


def stories(result: Result) -> list[dict[str, Any]]:
    """For every requirement that has failures: what the page tells of them, bounded. What is
    skipped comes last: it may well hold once the others do."""
    told = []
    left = TOLD_IN_ALL
    order = (FAILED, ERROR, SKIPPED)
    wanted = [one for one in result.requirements if one.outcome in order]
    for one in sorted(wanted, key=lambda one: one.outcome == SKIPPED):
        failures = one.failures
        shown = failures[: min(TOLD, left)]
        left -= len(shown)
        told.append(
            {
                "requirement": one,
                "checks": [_story(one, n, check) for n, check in enumerate(shown, 1)],
                "others": [check_name(check) for check in failures[len(shown) :]],
            }
        )
    return told


def _story(one: RequirementResult, number: int, check: Record) -> dict[str, Any]:
    drawn = diagram.of_check(check)
    programs = []
    for name, program in list(check.get("programs", {}).items())[:12]:
        why = why_it_ended(program["end"])
        programs.append({"name": name, "why": why, **program})
    return {
        "id": f"r{one.id.replace('.', '-')}-{number}",
        "name": check_name(check),
        "check": check,
        "layout": diagram.layout(drawn) if drawn else None,
        "steps": drawn.dissected if drawn else [],
        "hints": drawn.oddities if drawn else [],
        "transcripts": list(check.get("transcripts", {}).items())[:12],
        "programs": programs,
    }
