"""Honest programs that share no line with ours get all automatic points."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grading.rubric import load

from .support import FOREIGN, SECONDS, grade, lost, outcomes

needs_cc = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="there is no C compiler here"
)


REPEATED = ("2.B", "2.C", "3.B", "3.C")
"""A third of the time of milestones 2 to 4, and all but the same as 4.B and 4.C."""


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    ("folder", "milestones", "left_out"),
    [
        pytest.param("c_echo", "1", (), marks=needs_cc),
        ("asyncio_echo", "1", ()),
        pytest.param("c_chat", "2-4", (), marks=needs_cc),
        ("asyncio_chat", "2-4", REPEATED),
    ],
)
def test_an_honest_program_gets_all_points(
    tmp_path: Path, folder: str, milestones: str, left_out: tuple[str, ...]
) -> None:
    rubric = load()
    first, last = int(milestones[0]), int(milestones[-1])
    wanted = [one.id for number in range(first, last + 1) for one in rubric.of(number)]
    model = grade(
        tmp_path / "r.json",
        milestones,
        *("--submission", str(FOREIGN / folder)),
        *(word for one in wanted if one not in left_out for word in ("--only", one)),
        workers=1,
    )
    assert model["errors"] == []
    assert lost(model) == []


def test_a_server_that_takes_two_seconds_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("START_UP_SECONDS", "2")
    directory = str(FOREIGN / "asyncio_chat")
    model = grade(tmp_path / "r.json", "2", "--submission", directory, "--only", "2.9")
    assert outcomes(model) == {"2.9": "passed"}


@needs_cc
def test_a_foreign_server_with_our_client(tmp_path: Path) -> None:
    model = grade(
        tmp_path / "r.json",
        "2-3",
        *("--submission", str(FOREIGN / "c_chat"), "--client", "reference"),
        *(word for one in ("2.1", "2.5", "2.9", "3.2", "3.5") for word in ("--only", one)),
    )
    assert lost(model) == []


@needs_cc
def test_a_foreign_client_with_our_server(tmp_path: Path) -> None:
    model = grade(
        tmp_path / "r.json",
        "2-3",
        *("--submission", str(FOREIGN / "c_chat"), "--server", "reference"),
        *(word for one in ("2.1", "2.5", "2.9", "3.2", "3.5") for word in ("--only", one)),
    )
    assert lost(model) == []
