"""The report as GitHub-flavoured Markdown, for a comment on a pull request or a job summary.

What comes from a submission stands in code blocks, whose fences are longer than any within, so it
can neither format, nor link, nor call anybody by `@name`.
"""

from __future__ import annotations

import re
from pathlib import Path

from . import diagram, terminal
from .model import ERROR, FAILED, MANUAL, PASSED, SKIPPED, WAIVED, Record, RequirementResult, Result
from .text import check_name, one_line, visible

LIMIT = 60_000
"""Characters of a report: GitHub takes 65,536 in a comment."""
TOLD = 3
"""Failed checks of a requirement that are told in full."""
SIGNS = {PASSED: "✅", FAILED: "❌", SKIPPED: "⏭️", WAIVED: "⚪", ERROR: "⚠️", MANUAL: "✏️"}


def write(result: Result, path: Path) -> None:
    """Write the file. Raises OSError."""
    path.write_text(report(result), encoding="utf-8")


def report(result: Result) -> str:
    """The report's text, at most LIMIT characters."""
    bonus = f" + {result.bonus} bonus" if result.bonus else ""
    parts = [f"## Points: {result.points} of {result.max_points}{bonus}"]
    parts += [_table(result, milestone.milestone) for milestone in result.milestones]
    if result.errors:
        parts.append("**The grader itself broke.** This is not your fault; tell your instructor.")
        parts += [code(visible(error, 1000)) for error in result.errors[:5]]
    if result.build:
        parts += ["### The build failed", code(visible(result.build, 4000))]
    left = LIMIT - sum(map(len, parts)) - 500
    untold = []
    for one in result.requirements:
        if one.outcome not in (FAILED, ERROR):
            continue
        told = _requirement(one, result)
        if len(told) <= left:
            parts.append(told)
            left -= len(told) + 2
        else:
            untold.append(one.id)
    if untold:
        parts.append(f"No room here for {', '.join(untold)}: see the other reports.")
    parts.append(f"Graded {result.started}, seed `{_inline(result.seed)}`.")
    return "\n\n".join(parts) + "\n"


def _table(result: Result, milestone: int) -> str:
    lines = ["| id | promise | outcome | points |", "|---|---|---|--:|"]
    for one in result.of(milestone):
        outcome = f"{SIGNS[one.outcome]} {one.outcome}"
        if one.outcome == FAILED and one.counted_checks:
            outcome += f", {one.passed_checks} of {one.counted_checks} checks hold"
        elif one.outcome == SKIPPED:
            outcome += f", {one.reason}"
        promise = one.promise.replace("|", "\\|") + (" (bonus)" if one.bonus else "")
        lines.append(f"| {one.id} | {promise} | {outcome} | {one.points}/{one.max_points} |")
    total = next(one for one in result.milestones if one.milestone == milestone)
    left_out = "" if total.counts else " (does not count: the one before is incomplete)"
    head = f"### Milestone {milestone}: {total.points} of {total.max_points}{left_out}"
    return head + "\n\n" + "\n".join(lines)


def _requirement(one: RequirementResult, result: Result) -> str:
    parts = [f"<details><summary>{SIGNS[one.outcome]} <b>{one.id}</b> {one.promise}</summary>"]
    if one.outcome == ERROR:
        parts.append("The grader itself broke here; nothing was taken off for it.")
        parts.append(code(visible(one.reason, 1000)))
    parts += [_check(check, n == 0) for n, check in enumerate(one.failures[:TOLD])]
    others = [check_name(check) for check in one.failures[TOLD:]]
    if others:
        parts += ["Failed as well:", code(visible("\n".join(others[:60]), 3000))]
    if result.replay:
        parts += ["Replay just this:", code(visible(terminal.replay(result, one), 600), "sh")]
    return "\n\n".join([*parts, "</details>"])


def _check(check: Record, with_diagram: bool) -> str:
    said = [
        check_name(check),
        f"Promised: {check['promise']}",
        f"Expected: {check['expected']}",
        f"Came:     {check['came'] or 'Nothing.'}",
    ]
    drawn = diagram.of_check(check)
    said += [f"Hint:     {check['hint']}"] if check.get("hint") else []
    said += [f"Frame:    {hint}" for hint in drawn.oddities[:6]] if drawn else []
    parts = [code(visible("\n".join(said), 3000))]
    if drawn and with_diagram:
        parts.append(code(diagram.as_mermaid(drawn), "mermaid"))
    server = check.get("programs", {}).get("server")
    if server and with_diagram:
        last = "\n".join(server["output"].splitlines()[-8:])
        parts += [f"The server {_inline(server['end'])}; its last lines:"]
        parts += [code(visible(last, 1500) or "(nothing)")]
    return "\n\n".join(parts)


def code(text: str, language: str = "") -> str:
    """A fenced block that nothing in `text` can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _inline(text: str) -> str:
    """A few words between others: letters, digits and blanks survive."""
    return re.sub(r"[^\w .:/()-]", "?", one_line(text, 120))
