"""Gradescope: `results.json`, and the zip that Gradescope runs.

The file must be there and be valid whatever happens, or the student sees nothing but that the
autograder failed: so it is written once before anything else, as `broken`.

    python -m grading.gradescope build/gradescope.zip --milestone 2
"""

from __future__ import annotations

import json
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import click

from . import words
from .model import ERROR, FAILED, MANUAL, PASSED, WAIVED, RequirementResult, Result
from .text import visible

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = Path(__file__).with_name("templates") / "gradescope"
OUTPUT = 8000
"""Characters of a test's output."""
NEEDED = ("click", "jinja2", "psutil", "pytest", "pytest-timeout", "pytest-xdist", "rich", "tomli")
"""The packages of pyproject.toml that grading needs."""
BUNDLED = ("common", "grading", "tests/harness", "tests/milestone*")
"""What goes into the zip: the grader and the checks, no milestone's solution."""


def write(result: Result, path: Path) -> None:
    """Write results.json. Raises OSError."""
    _dump(results(result), path)


def write_broken(why: str, path: Path) -> None:
    """The file for the case that nothing could be graded. Raises OSError."""
    _dump({"score": 0, "output": visible(why, OUTPUT), "output_format": "text", "tests": []}, path)


def results(result: Result) -> dict[str, Any]:
    """The file's content. `score` overrides the sum of the tests: a milestone may not count."""
    return {
        "score": result.points + result.bonus,
        "execution_time": result.seconds,
        "output": visible(words.summary(result), OUTPUT),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_test(one, result) for one in result.requirements],
        "extra_data": {
            "points": result.points,
            "max_points": result.max_points,
            "bonus": result.bonus,
            "seed": result.seed,
            "rubric": result.rubric,
            "grader": result.grader,
        },
    }


def _test(one: RequirementResult, result: Result) -> dict[str, Any]:
    test: dict[str, Any] = {
        "number": one.id,
        "name": one.promise,
        "score": one.points,
        "max_score": 0 if one.outcome == WAIVED else one.max_points,
        "output": visible(words.of_requirement(one, result), OUTPUT),
        "output_format": "text",
        "tags": [f"milestone {one.milestone}", one.outcome],
        "visibility": "hidden" if one.hidden else "visible",
        "extra_data": {"outcome": one.outcome, "points": one.points, "max_points": one.max_points},
    }
    # Without a status the colour follows from the score: right for what is neither.
    if one.outcome not in (WAIVED, MANUAL, ERROR):
        test["status"] = "passed" if one.outcome == PASSED else FAILED
    return test


def _dump(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


# -- the zip ----------------------------------------------------------------------------------


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--milestone", "-m", "milestones", multiple=True, required=True, metavar="N")
def bundle(path: Path, milestones: tuple[str, ...]) -> None:
    """Write the zip to be uploaded as an autograder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "setup.sh", (SCRIPTS / "setup.sh").read_text(), executable=True)
        run = (SCRIPTS / "run_autograder").read_text()
        flags = " ".join(f"--milestone {one}" for one in milestones)
        _add(archive, "run_autograder", run.replace("@MILESTONES@", flags), executable=True)
        _add(archive, "requirements.txt", "\n".join(requirements()) + "\n")
        _add(archive, "pyproject.toml", (ROOT / "pyproject.toml").read_text())
        for pattern in ("tests/__init__.py", "tests/every.py", *BUNDLED):
            for found in sorted(ROOT.glob(pattern)):
                for file in [found] if found.is_file() else sorted(found.rglob("*")):
                    if file.is_file() and "__pycache__" not in file.parts:
                        archive.write(file, file.relative_to(ROOT))
    click.echo(f"{path}: {path.stat().st_size // 1024} KiB; upload it as the autograder")


def requirements() -> list[str]:
    """The pinned packages that grading needs, from pyproject.toml."""
    pinned = re.findall(
        r'^\s+"([A-Za-z][\w-]*==[^"]+)"', (ROOT / "pyproject.toml").read_text(), re.M
    )
    return [one for one in pinned if one.partition("==")[0].lower() in NEEDED]


def _add(archive: zipfile.ZipFile, name: str, text: str, *, executable: bool = False) -> None:
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
    archive.writestr(entry, text)


if __name__ == "__main__":
    bundle()
