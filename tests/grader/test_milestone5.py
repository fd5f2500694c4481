"""Milestone 5, graded as a user does it: our own programs, and a pair that shares no line with
them, get all automatic points."""

from __future__ import annotations

from pathlib import Path

import pytest

from .support import FOREIGN, SECONDS, grade, lost


@pytest.mark.thorough  # tests/milestone5 plays the same checks with the same programs
@pytest.mark.timeout(SECONDS)
def test_the_reference_gets_all_automatic_points(tmp_path: Path) -> None:
    model = grade(tmp_path / "result.json", "5", "--server", "reference", "--client", "reference")
    assert lost(model) == []
    assert (model["points"], model["bonus"]) == (24, 1)


@pytest.mark.timeout(SECONDS)
def test_a_foreign_pair_gets_all_automatic_points(tmp_path: Path) -> None:
    """Bare json.dumps, refusals as `confirmation`, own prompts, getpass; IPv4 only."""
    model = grade(tmp_path / "result.json", "5", "--submission", str(FOREIGN / "json_pair"))
    assert lost(model) == []
    assert model["points"] == 24
