"""The rubric, the requirements and the checks name the same ids."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from grading.rubric import RubricError, load

ROOT = Path(__file__).resolve().parents[2]
POINTS = {1: 20, 2: 30, 3: 25, 4: 25, 5: 25}


def required_ids() -> set[str]:
    """The ids of docs/requirements.md, N.A to N.Q for each milestone."""
    text = (ROOT / "docs/requirements.md").read_text()
    ids = set(re.findall(r"^\| (\d\.\d+) \|", text, re.MULTILINE))
    return ids | {f"{n}.{letter}" for n in POINTS for letter in "ABCQ"}


def checked_ids() -> set[str]:
    """The ids that the checks carry, read from what pytest collects."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    found: set[str] = set()
    for milestone in POINTS:
        listing = subprocess.run(
            [*command, "--list-requirements", f"tests/milestone{milestone}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
        )
        found |= set(re.findall(r"^requirement (\S+)$", listing.stdout, re.MULTILINE))
    return found


def test_rubric_and_requirements_name_the_same_ids() -> None:
    assert {one.id for one in load().requirements} == required_ids()


def test_every_automatic_requirement_has_a_check_and_no_check_is_unknown() -> None:
    automatic = {one.id for one in load().requirements if not one.manual}
    assert checked_ids() == automatic


@pytest.mark.parametrize(("milestone", "points"), POINTS.items())
def test_the_points_of_a_milestone(milestone: int, points: int) -> None:
    assert sum(one.points for one in load().of(milestone) if not one.bonus) == points


def test_a_core_check_exists() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "tests").glob("milestone*/*.py"))
    for one in load().requirements:
        assert not one.core or f"def {one.core}(" in sources, f"{one.id}: no check {one.core}"


def test_nothing_rests_on_itself() -> None:
    rubric = load()

    def reaches(start: str, at: str, seen: frozenset[str]) -> bool:
        return any(
            other == start or (other not in seen and reaches(start, other, seen | {other}))
            for other in rubric[at].rests_on
        )

    assert [one.id for one in rubric.requirements if reaches(one.id, one.id, frozenset())] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[requirement]]\nid = "1.1"\n', "points"),
        ('[[requirement]]\nid = "1.1"\npromise = "p"\npoints = 1.5\n', "whole number"),
        (
            '[[requirement]]\nid = "1.1"\npromise = "p"\npoints = 1\nrests_on = ["9.9"]\n',
            "rests on 9.9",
        ),
        ('[policy]\ncombine = "best"\n', "neither"),
        ("not toml at all", "rubric.toml"),
    ],
)
def test_a_bad_rubric_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    with pytest.raises(RubricError, match=re.escape(says)):
        load(path)
