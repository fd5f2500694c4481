"""Honest programs that share no line with ours get all automatic points."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .support import FOREIGN, SECONDS, grade, lost, outcomes

needs_cc = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="there is no C compiler here"
)


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    ("folder", "milestones"),
    [
        pytest.param("c_echo", "1", marks=needs_cc),
        pytest.param("asyncio_echo", "1", marks=pytest.mark.thorough),
        pytest.param("c_chat", "2-4", marks=needs_cc),
        pytest.param("asyncio_chat", "2-4", marks=pytest.mark.thorough),
    ],
)
def test_an_honest_program_gets_all_points(tmp_path: Path, folder: str, milestones: str) -> None:
    model = grade(tmp_path / "r.json", milestones, "--submission", str(FOREIGN / folder), workers=1)
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
