"""The zip for Gradescope, unpacked and run in a clean directory as Gradescope would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from grading import gradescope


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An `/autograder` of our own: the zip unpacked, an empty submission, and in place of what
    setup.sh installs a link to the packages that are here."""
    archive = tmp_path / "autograder.zip"
    outcome = CliRunner().invoke(gradescope.bundle, [str(archive), "-m", "1"])
    assert outcome.exit_code == 0, outcome.output
    root = tmp_path / "autograder"
    source = root / "source"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(source)
        for entry in packed.infolist():
            if mode := entry.external_attr >> 16 & 0o777:
                (source / entry.filename).chmod(mode)
    (root / "submission").mkdir()
    (source / ".venv").symlink_to(Path(sys.prefix))
    return root


def run(root: Path) -> dict[str, object]:
    """What run_autograder makes of the submission."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    env["AUTOGRADER"] = str(root)
    done = subprocess.run(
        [root / "source" / "run_autograder"], env=env, cwd="/", capture_output=True, timeout=280
    )
    results = root / "results" / "results.json"
    assert results.exists(), done.stderr.decode()
    return dict(json.loads(results.read_text()))


@pytest.mark.timeout(300)
def test_it_grades_in_a_clean_directory(root: Path) -> None:
    (root / "submission" / "README").write_text("nothing yet")
    results = run(root)
    assert results["score"] == 0
    tests = results["tests"]
    assert isinstance(tests, list)
    outcomes = {test["number"]: test["extra_data"]["outcome"] for test in tests}
    assert outcomes["1.4"] in ("failed", "skipped")
    assert outcomes["1.8"] == "manual"
    assert "error" not in outcomes.values()


def test_it_says_so_when_it_cannot_start(root: Path) -> None:
    (root / "source" / ".venv").unlink()
    assert "could not be started" in str(run(root)["output"])


def test_both_scripts_are_executable_and_no_solution_is_inside(root: Path) -> None:
    source = root / "source"
    assert os.access(source / "setup.sh", os.X_OK)
    assert os.access(source / "run_autograder", os.X_OK)
    assert not list(source.glob("milestone*"))


def test_every_package_that_it_needs_is_pinned() -> None:
    names = {line.partition("==")[0].lower() for line in gradescope.requirements()}
    assert names == set(gradescope.NEEDED)
