"""The report on the terminal: a table, then a story for each failure."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from . import diagram
from .model import ERROR, FAILED, MANUAL, PASSED, SKIPPED, WAIVED, Record, RequirementResult, Result

STYLE = {
    PASSED: "green",
    FAILED: "red",
    SKIPPED: "yellow",
    WAIVED: "dim",
    ERROR: "bold magenta",
    MANUAL: "cyan",
}
SHOWN_FAILURES = 3
"""Failed checks that are told of each requirement; the rest is counted."""
SHOWN_LINES = 12
"""Lines of a transcript."""


def show(result: Result, console: Console) -> None:
    """Print the whole report."""
    for milestone in result.milestones:
        console.print(_table(milestone.milestone, result.of(milestone.milestone)))
    if result.build:
        console.print(Text(result.build, style="red"))
    for requirement in result.requirements:
        if requirement.outcome in (FAILED, ERROR):
            tell(requirement, console)
    _totals(result, console)


def _table(milestone: int, requirements: list[RequirementResult]) -> Table:
    table = Table(title=f"Milestone {milestone}", title_justify="left", expand=False)
    for name, justify in (("id", "left"), ("promise", "left"), ("outcome", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for one in requirements:
        outcome = Text(one.outcome, style=STYLE[one.outcome])
        if one.outcome == FAILED and one.counted_checks:
            outcome.append(f" {one.passed_checks}/{one.counted_checks}", style="dim")
        if one.outcome in (SKIPPED, WAIVED, MANUAL):
            outcome.append(f" ({_short(one.reason)})", style="dim")
        points = f"{one.points}/{one.max_points}" + (" bonus" if one.bonus else "")
        table.add_row(one.id, Text(one.promise), outcome, points, f"{one.seconds:.1f} s")
    return table


def _short(text: str, limit: int = 48) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def tell(requirement: RequirementResult, console: Console) -> None:
    """The story of a requirement that failed."""
    console.rule(f"[bold]{requirement.id}[/] {escape(requirement.promise)}", align="left")
    if requirement.outcome == ERROR:
        console.print(Text(f"The grader broke: {requirement.reason}", style="magenta"))
        return
    failures = requirement.failures
    for check in failures[:SHOWN_FAILURES]:
        console.print(_story(check))
    if len(failures) > SHOWN_FAILURES:
        rest = ", ".join(_name(check) for check in failures[SHOWN_FAILURES:])
        console.print(Text(f"Failed as well: {rest}", style="dim"))


def _name(check: Record) -> str:
    case = f" [{check['case']}]" if check["case"] else ""
    return f"{check['check'].removeprefix('test_').replace('_', ' ')}{case} ({check['stage']})"


def _story(check: Record) -> Text:
    text = Text()
    text.append(f"{_name(check)}\n", style="bold")
    text.append(f"  Promised: {check['promise']}\n")
    if check["story"]:
        text.append("  What was done:\n")
        for number, step in enumerate(check["story"], 1):
            text.append(f"    {number:2}. {step}\n", style="dim" if step.startswith("->") else "")
    drawn = diagram.of_check(check)
    if drawn:
        text.append("  What went to and fro:\n")
        for line, mark in diagram.marked_lines(drawn):
            text.append(f"    {line}\n", style="red" if mark else "dim")
        for hint in drawn.oddities[:4]:
            text.append(f"  Frame:    {hint}\n", style="cyan")
    text.append(f"  Expected: {check['expected']}.\n", style="green")
    text.append(f"  Came:     {check['came'] or 'Nothing.'}\n", style="red")
    if check["hint"]:
        text.append(f"  Hint:     {check['hint']}\n", style="cyan")
    for name, shown in check.get("transcripts", {}).items():
        text.append(f"  What {name} was shown:\n")
        text.append(_quoted(shown))
    server = check.get("programs", {}).get("server")
    if server:
        text.append(f"  The server {server['end']}; its last lines:\n")
        text.append(_quoted(server["output"]))
    return text


def _quoted(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()][-SHOWN_LINES:] or ["(nothing)"]
    return "".join(f"    | {line[:400]}\n" for line in lines)


def _totals(result: Result, console: Console) -> None:
    for one in result.milestones:
        bonus = f" + {one.bonus} bonus" if one.bonus else ""
        left_out = "" if one.counts else " (does not count: the milestone before is incomplete)"
        console.print(f"Milestone {one.milestone}: {one.points}/{one.max_points}{bonus}{left_out}")
    manual = [one for one in result.requirements if one.outcome == MANUAL and not one.points]
    if manual:
        waiting = sum(one.max_points for one in manual)
        ids = ", ".join(one.id for one in manual)
        console.print(f"For the instructor: {ids} ({waiting} points, give them with --manual FILE)")
    bonus = f" + {result.bonus} bonus" if result.bonus else ""
    console.print(
        f"[bold]Points: {result.points}/{result.max_points}{bonus}[/] in {result.seconds:.1f} s"
    )
    for error in result.errors:
        console.print(Text(error, style="magenta"))
    first = next((one for one in result.requirements if one.outcome == FAILED), None)
    if first is not None and result.replay:
        console.print(Text(f"Replay the first failure: {replay(result, first)}"), soft_wrap=True)


def replay(result: Result, requirement: RequirementResult) -> str:
    """The command that runs this requirement's checks again, with the same tokens."""
    command = result.replay.replace("{milestone}", str(requirement.milestone))
    return f"{command} --only {requirement.id} --seed {result.seed}"
