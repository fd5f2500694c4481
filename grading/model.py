"""The result of a grading: the one model that every report is made of (docs/grading.md)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = "milestone-chat/result/v1"

PASSED, FAILED, SKIPPED, WAIVED = "passed", "failed", "skipped", "waived"
ERROR, MANUAL = "error", "manual"
Record = dict[str, Any]
"""What the harness says of one check: see tests/harness/plugin.py."""


@dataclass
class RequirementResult:
    """One requirement's outcome and points."""

    id: str
    promise: str
    outcome: str
    points: int
    max_points: int
    reason: str = ""
    bonus: bool = False
    hidden: bool = False
    seconds: float = 0.0
    passed_checks: int = 0
    counted_checks: int = 0
    checks: list[Record] = field(default_factory=list)

    @property
    def milestone(self) -> int:
        """The milestone that it belongs to."""
        return int(self.id.partition(".")[0])

    @property
    def failures(self) -> list[Record]:
        """The checks that failed and were not waived, the first to be read first."""
        return [check for check in self.checks if check["outcome"] == FAILED]


@dataclass
class MilestoneResult:
    """The points of one milestone."""

    milestone: int
    points: int
    max_points: int
    bonus: int = 0
    counts: bool = True
    """False where the policy "ladder" leaves it out."""


@dataclass
class Result:
    """A whole grading."""

    milestones: list[MilestoneResult]
    requirements: list[RequirementResult]
    submission: str
    seed: str
    rubric: str
    grader: str
    policy: str
    started: str
    seconds: float
    replay: str = ""
    build: str = ""
    """What the build printed, where it failed."""
    errors: list[str] = field(default_factory=list)
    """The grader's own faults; empty when all went well."""

    @property
    def points(self) -> int:
        """Points of all milestones that count, without bonus."""
        return sum(one.points for one in self.milestones if one.counts)

    @property
    def max_points(self) -> int:
        """Points that could be had; what was waived is left out."""
        return sum(one.max_points for one in self.milestones)

    @property
    def bonus(self) -> int:
        """Points beyond the maximum."""
        return sum(one.bonus for one in self.milestones if one.counts)

    def of(self, milestone: int) -> list[RequirementResult]:
        """The requirements of one milestone."""
        return [one for one in self.requirements if one.milestone == milestone]

    def as_json(self) -> dict[str, Any]:
        """The published form: plain values only."""
        numbers = [one.milestone for one in self.milestones]
        head = {
            "schema": SCHEMA,
            "milestone": numbers[0] if len(numbers) == 1 else numbers,
            "points": self.points,
            "max_points": self.max_points,
            "bonus": self.bonus,
        }
        return head | asdict(self)
