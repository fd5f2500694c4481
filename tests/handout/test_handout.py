"""The hand-out: what is in it, what is not, and that it works as its README says."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from grading.handout import MILESTONES, ROOT, promising, skeleton, write

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-out in Python."""
    out = tmp_path_factory.mktemp("handout") / "course"
    write(out)
    return out


@pytest.fixture(scope="module")
def course_in_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-out in C."""
    out = tmp_path_factory.mktemp("handout-c") / "course"
    write(out, "c")
    return out


def run(command: Sequence[str], where: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the hand-out, which must not find our own modules."""
    ours = ("PYTHON", "COVERAGE")
    env = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return subprocess.run(
        command, cwd=where, env=env, capture_output=True, text=True, timeout=500, check=False
    )


def grade(where: Path, out: Path, *options: str) -> dict[str, Any]:
    """The result of the hand-out's own grader."""
    report = out / "result.json"
    command = [sys.executable, "-m", "grading", "grade", *options, "--json", str(report)]
    done = run(command, where)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(report.read_text())
    return result


# -- what is in it --------------------------------------------------------------------------------


LONG = pytest.mark.thorough  # a whole grading each


def test_a_skeleton_keeps_signature_and_docstring() -> None:
    """An emptied function says what it promises, and raises; others stay as they are."""
    source = '''
class Server:
    """Serves."""

    def greet(self, name: str) -> str:
        """Say hello (2.1, 2.4)."""
        # a comment that gives it away
        return f"hello {name}"

    def helper(self) -> int:
        """Names no requirement."""
        return 3
'''
    expected = '''
class Server:
    """Serves."""

    def greet(self, name: str) -> str:
        """Say hello (2.1, 2.4)."""
        raise NotImplementedError("2.1, 2.4: Server.greet")

    def helper(self) -> int:
        """Names no requirement."""
        return 3
'''
    assert skeleton(source) == expected
    assert skeleton(source, given=["Server.greet"]) == source


def statements(path: Path) -> set[str]:
    """The statements, as code, of all functions in a file that keep a promise; but for `main`,
    which every milestone has, and which keeps one in the first only."""
    found = set()
    for name, function, _ in promising(ast.parse(path.read_text())):
        if name == "main":
            continue
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        found |= {ast.unparse(one) for one in body}
    return found


def test_nothing_of_the_solution_is_in_it(course: Path, course_in_c: Path) -> None:
    """No statement of a function that the student is to write, in any file of the hand-out."""
    secret = {
        one
        for name in MILESTONES
        for path in (ROOT / name).glob("*.py")
        for one in statements(path)
        if len(one) > 60  # shorter ones stand anywhere: `return False`
    }
    assert len(secret) > 100
    for out in (course, course_in_c):
        for path in out.rglob("*.py"):
            nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.stmt)]
            given = {ast.unparse(node) for node in nodes} & secret
            assert not given, f"{path.relative_to(out)}: {sorted(given)[0]}"


@pytest.mark.parametrize("name", ["mutants", "unit", "foreign", "end_to_end", "bench", ".git"])
def test_our_own_tests_are_not_in_it(course: Path, course_in_c: Path, name: str) -> None:
    """No fixtures, mutants, measurements or history."""
    for out in (course, course_in_c):
        assert not [path for path in out.rglob("*") if path.name == name]


def test_every_link_of_its_readmes_leads_somewhere(course: Path, course_in_c: Path) -> None:
    """A student who follows a link finds what it promises."""
    for out in (course, course_in_c):
        for readme in [out / "README.md", *out.glob("milestone*/README.md")]:
            for target in LINK.findall(readme.read_text()):
                assert (readme.parent / target).exists(), f"{readme.relative_to(out)}: {target}"


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    """Nobody's work is overwritten."""
    (tmp_path / "mine.py").touch()
    done = run([sys.executable, "-m", "grading.handout", str(tmp_path)], ROOT)
    assert done.returncode == 1
    assert "not empty" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


# -- that it works --------------------------------------------------------------------------------


@pytest.mark.parametrize("package", MILESTONES)
def test_a_skeleton_can_be_imported(course: Path, package: str) -> None:
    """What the student begins with is a program, up to the first missing function."""
    code = f"import {package}.server, {package}.client"
    done = run([sys.executable, "-c", code], course)
    assert done.returncode == 0, done.stderr


def test_a_skeleton_says_what_is_missing(course: Path) -> None:
    """The first thing that a student sees is a requirement."""
    done = run([sys.executable, "-m", "milestone1_echo.server", "0"], course)
    assert "NotImplementedError: 1.2: main" in done.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("milestone", [1, *(pytest.param(n, marks=LONG) for n in (2, 3, 4, 5))])
def test_a_skeleton_scores_nothing(course: Path, tmp_path: Path, milestone: int) -> None:
    """No points for what was given."""
    result = grade(course, tmp_path, "-m", str(milestone))
    assert result["points"] == 0
    assert not [one for one in result["requirements"] if one["points"]]


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
def test_the_start_in_c_compiles_without_a_warning(course_in_c: Path, tmp_path: Path) -> None:
    """`make` compiles all milestones, and says nothing but what it does."""
    copy = tmp_path / "course"
    shutil.copytree(course_in_c, copy)
    done = run(["make"], copy)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("milestone", [2, *(pytest.param(n, marks=LONG) for n in (1, 3, 4))])
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
def test_the_start_in_c_scores_nothing(course_in_c: Path, tmp_path: Path, milestone: int) -> None:
    """No points for an empty main."""
    folder = f"milestone{milestone}"
    result = grade(course_in_c, tmp_path, "-m", str(milestone), "--submission", folder)
    assert result["points"] == 0
    assert not [one for one in result["requirements"] if one["points"]]


# -- one function at a time -----------------------------------------------------------------------

CLIENT = "ask_name ask_users ask_about ask_about_self send_private send_to_all send_text quit"
STEPS: list[tuple[str, str]] = [
    # what the student has written now, and the requirement that turns
    (
        "ChatServer.connected ChatServer.refuse_stranger ChatServer.disconnected "
        "ChatServer.name_user ChatServer.find_user Users.find Users.everybody "
        "Users.refuse_name Users.take_name Users.free_name refuse_characters "
        + " ".join(f"ChatClient.{name}" for name in CLIENT.split()),
        "",
    ),
    ("ChatServer.deliver_private", "2.9"),
    ("ChatServer.list_users", "2.5"),
    ("ChatServer.describe_user", "2.6"),
    ("ChatServer.deliver_to_all", "2.7"),
    ("ChatServer.echo", "2.11"),
]


@pytest.mark.timeout(900)
def test_requirements_turn_one_by_one(course: Path, tmp_path: Path) -> None:
    """Who fills in one function after the other of milestone 2 sees one requirement after the
    other turn from failed to passed."""
    mine = tmp_path / "course"
    shutil.copytree(course, mine)
    written: list[str] = []
    for functions, turns in STEPS:
        if turns:
            assert outcome(mine, tmp_path, turns) != "passed", f"{turns} before {functions}"
        written += functions.split()
        for path in (ROOT / "milestone2_users").glob("*.py"):
            filled = skeleton(path.read_text(), given=written)
            (mine / "milestone2_users" / path.name).write_text(filled)
        if turns:
            assert outcome(mine, tmp_path, turns) == "passed", f"{turns} after {functions}"


def outcome(where: Path, out: Path, requirement: str) -> str:
    """What the hand-out's grader says of one requirement."""
    result = grade(where, out, "-m", requirement[0], "--only", requirement)
    return str(result["requirements"][0]["outcome"])
