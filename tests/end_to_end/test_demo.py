"""The demos and the differences that `make` shows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .support import ROOT


def run(*args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("milestone", ["m1", "m2", "m3", "m4", "m5"])
def test_demo(milestone: str) -> None:
    assert "alice | " in run("demo", milestone)


def test_readme_shows_what_the_demo_prints() -> None:
    lines = run("demo", "m3").splitlines()
    readme = (ROOT / "README.md").read_text()
    assert all(line in readme for line in lines), "run `make demo-m3` and copy it into README.md"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("milestone1_echo", "milestone2_users", "users.py: new"),
        ("milestone2_users", "milestone3_rooms", "rooms.py: new"),
        ("milestone3_rooms", "milestone4_p2p", "transfer.py: new"),
    ],
)
def test_difference(old: str, new: str, text: str) -> None:
    shown = run("demo.difference", old, new)
    assert text in shown
    assert "What changes" in shown
