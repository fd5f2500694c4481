"""Grading a program as a user does, and asking the result model about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "tests" / "foreign"
SECONDS = 900
"""However bad a program is, and however busy the machine: a grading must have ended by then."""


def without_coverage() -> dict[str, str]:
    """The environment of a grading: what it starts is measured by other tests."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}


def grade(
    result: Path, milestones: str, *options: str, workers: int = 2, scratch: Path | None = None
) -> dict[str, Any]:
    """The result model of one grading, whose temporary files lie in `scratch`."""
    command = [sys.executable, "-m", "grading", "grade", "-m", milestones, "-n", str(workers)]
    done = subprocess.run(
        [*command, "--json", str(result), *options],
        cwd=ROOT,
        env=without_coverage() | ({"TMPDIR": str(scratch)} if scratch else {}),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    model: dict[str, Any] = json.loads(result.read_text())
    return model


def lost(model: dict[str, Any]) -> list[str]:
    """The automatic requirements that did not get all their points, with the reason."""
    return [
        f"{one['id']}: {one['outcome']}: {one['reason']}"
        for one in model["requirements"]
        if one["outcome"] not in ("manual", "waived")
        and not one["bonus"]
        and one["points"] < one["max_points"]
    ]


def outcomes(model: dict[str, Any]) -> dict[str, str]:
    """Requirement id -> outcome."""
    return {one["id"]: one["outcome"] for one in model["requirements"]}
