"""Milestone 5, graded as a user does it: our own programs, and a pair that shares no line with
them, get all automatic points."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "tests" / "foreign" / "json_pair"
GRADING_SECONDS = 900


def grade(result: Path, *options: str) -> dict[str, Any]:
    """The result model of one grading."""
    command = [sys.executable, "-m", "grading", "grade", "--milestone", "5", "-n", "2"]
    done = subprocess.run(
        [*command, "--json", str(result), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=GRADING_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    model: dict[str, Any] = json.loads(result.read_text())
    return model


def lost(model: dict[str, Any], *, bonus: bool) -> list[str]:
    """The automatic requirements that did not get all their points, with the reason."""
    return [
        f"{one['id']}: {one['outcome']}: {one['reason']}"
        for one in model["requirements"]
        if one["outcome"] != "manual"
        and (bonus or not one["bonus"])
        and one["points"] < one["max_points"]
    ]


@pytest.mark.timeout(GRADING_SECONDS)
def test_the_reference_gets_all_automatic_points(tmp_path: Path) -> None:
    model = grade(tmp_path / "result.json", "--server", "reference", "--client", "reference")
    assert lost(model, bonus=True) == []
    assert (model["points"], model["bonus"]) == (24, 1)


@pytest.mark.timeout(GRADING_SECONDS)
def test_a_foreign_pair_gets_all_automatic_points(tmp_path: Path) -> None:
    """Bare json.dumps, refusals as `confirmation`, own prompts, getpass; IPv4 only."""
    model = grade(tmp_path / "result.json", "--submission", str(FOREIGN))
    assert lost(model, bonus=False) == []
    assert model["points"] == 24
