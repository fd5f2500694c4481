"""Grade mutants through the harness, and say what killed them."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grading import judge, run
from grading.cli import reference
from grading.model import ERROR, FAILED, PASSED, SKIPPED, WAIVED, RequirementResult
from grading.rubric import Rubric, load

from .registry import Mutant

LAUNCHER = Path(__file__).with_name("run.py")


@dataclass
class Verdict:
    """What the grader made of a mutant."""

    mutant: Mutant
    outcomes: dict[str, str]
    """What became of each requirement that was looked at."""
    failed: dict[str, list[str]]
    """The checks that failed, of each requirement that did not pass."""

    @property
    def killed_by(self) -> list[str]:
        """The requirements that failed."""
        return [one for one, outcome in self.outcomes.items() if outcome == FAILED]

    @property
    def skipped(self) -> list[str]:
        """The requirements that were spared, for they rest on what failed."""
        return [one for one, outcome in self.outcomes.items() if outcome == SKIPPED]

    @property
    def unwanted(self) -> list[str]:
        """The requirements that failed though the mutant does not break them."""
        named = (self.mutant.requirement, *self.mutant.also)
        return [one for one in self.killed_by if one not in named]

    @property
    def problems(self) -> list[str]:
        """Why this verdict is not the right one: none if it is."""
        named = [self.mutant.requirement, *self.mutant.also]
        if self.mutant.name.startswith("emptied."):
            caught = {*self.killed_by, *self.skipped}.intersection(named)
            return [] if caught else [f"survives {' and '.join(named)}"]
        found = [f"survives {one}" for one in named if one not in self.killed_by]
        found += [f"killed by {one} as well" for one in self.unwanted]
        return found + [
            f"grader error in {o}" for o, what in self.outcomes.items() if what == ERROR
        ]


def grade(
    mutant: Mutant,
    only: Sequence[str] = (),
    *,
    stage: str | None = None,
    until_failed: bool = False,
) -> Verdict:
    """Run the checks of the mutant's milestone (of the requirements or single checks in `only`,
    on that stage alone, of each requirement until one has failed), and judge them."""
    rubric = load()
    with tempfile.TemporaryDirectory(prefix="mutant-") as workdir:
        records = run.run_checks(
            {mutant.milestone: settings(mutant)},
            Path(workdir),
            stage=stage,
            only=only,
            until_failed=until_failed,
        )
    results = judge.judge(rubric, [mutant.milestone], records, {})
    looked_at = [one for one in results if one.checks]
    return Verdict(
        mutant,
        {one.id: one.outcome for one in looked_at},
        {one.id: failed_checks(one) for one in looked_at if failed_checks(one)},
    )


def grade_quickly(mutant: Mutant) -> Verdict:
    """Let the mutant meet its own requirement and its neighbours at their core, each until a check
    fails, on the one stage that shows its fault soonest; its own on the other stage, too, where
    that did not show it. Where the mutant names the check that shows it, that one goes first.
    What it may break besides (`also`) is not insisted on.
    """
    only = at_the_core(mutant, load())
    stage, other = (None, None) if mutant.shown_by else stages_for(mutant)
    verdict = grade(mutant, only, stage=stage, until_failed=True)
    if verdict.unwanted:  # perhaps for the lack of a check on which that one rests
        verdict = grade(mutant, only, stage=stage)
    if mutant.requirement not in verdict.killed_by:
        own = grade(mutant, [mutant.requirement], stage=other, until_failed=True)
        verdict.outcomes.update(own.outcomes)
        verdict.failed.update(own.failed)
    return verdict


def stages_for(mutant: Mutant) -> tuple[str, str]:
    """The stage that shows a mutant's fault soonest, and the other. A wrong server shows on the
    wire, without a client to be started, where the requirement has checks there: those of
    milestones 1 and 4 are on the terminal for the most part, as are N.B and N.C."""
    on_the_wire = mutant.milestone in (2, 3, 5) and not is_slow(mutant.requirement)
    if mutant.side == "server" and on_the_wire:
        return "wire", "terminal"
    return "terminal", "wire"


def failed_checks(result: RequirementResult) -> list[str]:
    """The checks of a requirement that failed, for a reader."""
    return [
        check["check"].removeprefix("test_")
        + (f"[{check['case']}]" if check["case"] else "")
        + f" ({check['stage']})"
        for check in result.checks
        if check["outcome"] not in (PASSED, WAIVED)
    ]


def settings(mutant: Mutant) -> dict[str, Any]:
    """What the harness is told: the wrong program, and the reference for the other side."""
    chosen: dict[str, Any] = {"milestone": mutant.milestone, "seed": "0"}
    for program in ("server", "client"):
        command = reference(mutant.milestone, program)
        if mutant.is_wrong(program):
            command = [sys.executable, str(LAUNCHER), mutant.key, program, *command[2:]]
        chosen[program] = command
    return chosen


def neighbours(mutant: Mutant, rubric: Rubric) -> list[str]:
    """The mutant's own requirement, what that rests on, and what stands beside it in the list.

    The slow ones are looked at where the mutant is one of theirs.
    """
    mine = [one.id for one in rubric.of(mutant.milestone) if not one.manual]
    at = mine.index(mutant.requirement)
    beside = {*mine[max(0, at - 1) : at + 2], *rubric[mutant.requirement].rests_on}
    quick_ones = {one for one in beside if not is_slow(one)}
    return sorted(quick_ones | {mutant.requirement, *mutant.also}, key=mine.index)


def at_the_core(mutant: Mutant, rubric: Rubric) -> list[str]:
    """The same, but of all except its own requirement one check alone, the one that others rest on
    where the rubric names it: the quickest way to find a mutant that breaks more than it should.
    Of its own it is the check that shows it, where the mutant names one."""
    shown = f"{mutant.requirement}/test_{mutant.shown_by}"
    own = shown if mutant.shown_by else mutant.requirement
    return [
        own if one == mutant.requirement else f"{one}/{core}:1" if core else f"{one}:1"
        for one in neighbours(mutant, rubric)
        for core in [rubric[one].core]
    ]


def quick(mutant: Mutant, rubric: Rubric) -> list[str]:
    """All requirements of the milestone but the slow ones, and the mutant's own."""
    named = (mutant.requirement, *mutant.also)
    every: Iterable[str] = (one.id for one in rubric.of(mutant.milestone) if not one.manual)
    return [one for one in every if not is_slow(one) or one in named]


def is_slow(requirement: str) -> bool:
    """Whether it is about offences (N.B), or about the server at rest (N.C): many seconds each."""
    return requirement[-1] in "BC"


def end_when_asked() -> None:
    """Make SIGTERM an exit, not a sudden death: what a grading has started is ended with it, and
    no second SIGTERM (a pool sends one to those that were sent one already) comes between."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(1)

    signal.signal(signal.SIGTERM, end)
