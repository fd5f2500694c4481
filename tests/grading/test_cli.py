"""`python -m grading grade`: exit statuses, and the result model that it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]


def grade(*arguments: str, seconds: float = 110) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "grading", "grade", "-n", "1", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--milestone", "7"],
        ["--milestone", "two"],
        ["--milestone", "2", "--only", "9.9"],
        ["--milestone", "2", "--submission", "/nobody/here"],
        ["--milestone", "2", "--server", "./nobody {port}"],
        ["--milestone", "2", "--manual", "/nobody/here.json"],
        ["--milestone", "2", "--rubric", "/nobody/here.toml"],
    ],
)
def test_a_mistake_in_the_command_is_one_clear_line(arguments: list[str]) -> None:
    done = grade(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("Error:")


def test_the_model_and_the_xml(tmp_path: Path) -> None:
    model, xml = tmp_path / "r.json", tmp_path / "r.xml"
    done = grade(
        "-m",
        "2",
        "--only",
        "2.9",
        "--only",
        "2.Q",
        "--seed",
        "7",
        "--json",
        str(model),
        "--junit",
        str(xml),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(model.read_text())
    assert result["schema"] == "milestone-chat/result/v1"
    assert (result["milestone"], result["points"], result["max_points"]) == (2, 3, 4)
    assert result["seed"] == "7"
    outcomes = {one["id"]: one["outcome"] for one in result["requirements"]}
    assert outcomes == {"2.9": "passed", "2.Q": "manual"}
    stages = {check["stage"] for one in result["requirements"] for check in one["checks"]}
    assert stages == {"wire", "terminal"}
    cases = ElementTree.parse(xml).getroot().findall(".//testcase")
    assert [case.get("name", "").split()[0] for case in cases] == ["2.9", "2.Q"]


def test_a_submission_without_programs_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    model = tmp_path / "r.json"
    done = grade("-m", "2", "--submission", str(tmp_path / "empty"), "--json", str(model))
    assert done.returncode == 0, done.stderr
    result = json.loads(model.read_text())
    assert result["points"] == 0
    assert "No server was found" in done.stdout
    assert {one["outcome"] for one in result["requirements"]} <= {"failed", "skipped", "manual"}
