"""Programs that misbehave are graded in bounded time, and leave no process behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .support import FOREIGN, SECONDS, grade, outcomes

HOSTILE = FOREIGN / "hostile"
SAMPLE = ("2.1", "2.9", "2.13", "2.C")
ONLY = [word for one in SAMPLE for word in ("--only", one)]
ALWAYS = ("never_listens", "accepts_and_closes", "prints_forever", "leaves_a_daemon")
"""Tried in `make test`; the others in `make test-all`, for each is a grading of its own."""
IN_PYTHON = sorted(
    path.name
    for path in HOSTILE.glob("*.py")
    # `base` is a part of the others, and one chats well, on a port of its own choice.
    if path.stem not in ("base", "chats_on_8080")
)


def processes_of(path: Path) -> list[str]:
    """The command lines of living processes that run this program."""
    lines = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if str(path) in words:
            lines.append(" ".join(words))
    return lines


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if Path(name).stem in ALWAYS else pytest.mark.thorough)
        for name in IN_PYTHON
    ],
)
def test_a_hostile_program_gets_nothing_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    # A copy, so that its processes can be told from those of other tests.
    shutil.copytree(HOSTILE, tmp_path / "hostile", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "hostile" / name
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    start = f"{sys.executable} {path}"
    model = grade(
        tmp_path / "r.json",
        "2",
        *("--server", f"{start} {{port}}", "--client", f"{start} {{host}} {{port}}"),
        *ONLY,
        scratch=scratch,
    )
    assert model["errors"] == []
    assert model["points"] == 0, outcomes(model)
    assert processes_of(path) == []
    assert [str(file) for file in scratch.iterdir()] == []


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("program", ["/bin/true", "cat"])
@pytest.mark.parametrize("milestone", ["1", pytest.param("2", marks=pytest.mark.thorough)])
def test_what_is_no_chat_gets_nothing(tmp_path: Path, program: str, milestone: str) -> None:
    model = grade(
        tmp_path / "r.json",
        milestone,
        *("--server", f"{program} {{port}}", "--client", f"{program} {{host}} {{port}}"),
    )
    assert (model["points"], model["bonus"], model["errors"]) == (0, 0, [])


@pytest.mark.timeout(SECONDS)
def test_a_server_on_another_port_is_graded_all_the_same(tmp_path: Path) -> None:
    start = f"{sys.executable} {HOSTILE / 'chats_on_8080.py'}"
    model = grade(
        tmp_path / "r.json",
        "2",
        *("--server", f"{start} {{port}}", "--client", "reference", "--only", "2.9"),
    )
    assert outcomes(model) == {"2.9": "passed"}


@pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="there is no C compiler here"
)
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    ("program", "provoked_by", "died_of"),
    [
        ("dies_of_long_name", "2.1", "SIGSEGV"),  # which types one
        pytest.param("dies_of_sigpipe", "2.3", "SIGPIPE", marks=pytest.mark.thorough),
    ],
)
def test_a_crash_is_reported_by_the_check_that_provoked_it(
    tmp_path: Path, program: str, provoked_by: str, died_of: str
) -> None:
    """A server that dies of one thing loses what that belongs to, and 2.9 is as good as ever."""
    shutil.copytree(HOSTILE, tmp_path / "hostile")
    subprocess.run(["make", "-s", "-C", str(tmp_path / "hostile")], check=True, timeout=100)
    server = f"{tmp_path / 'hostile' / 'bin' / program} {{port}}"
    model = grade(
        tmp_path / "r.json",
        "2",
        *("--server", server, "--client", "reference", "--only", provoked_by, "--only", "2.9"),
    )
    assert outcomes(model) == {provoked_by: "failed", "2.9": "passed"}
    came = [check["came"] for check in model["requirements"][0]["checks"]]
    assert any(f"was killed by {died_of}" in text for text in came)
