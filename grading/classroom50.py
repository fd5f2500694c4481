"""Classroom 50: `result.json`, its schema `classroom50/result/v1`, whole points only.

What the file must name beside the grade comes from the environment in which Classroom 50 runs the
grader; elsewhere the fields say `local`. As for Gradescope, the file is written once before
anything else, so that it is always there.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import words
from .model import WAIVED, RequirementResult, Result
from .text import visible

SCHEMA = "classroom50/result/v1"
OUTPUT = 4000


def write(result: Result, path: Path) -> None:
    """Write result.json. Raises OSError."""
    tests = [_test(one, result) for one in result.requirements]
    _dump(_head(result.points + result.bonus, result.max_points) | {"tests": tests}, path)


def write_broken(why: str, path: Path) -> None:
    """The file for the case that nothing could be graded. Raises OSError."""
    test = {
        "test-name": "grading took place",
        "passed": False,
        "score": 0,
        "max-score": 0,
        "output": visible(why, OUTPUT),
    }
    _dump(_head(0, 0) | {"tests": [test]}, path)


def _head(score: int, most: int, env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    tag = env.get("SUBMISSION_TAG") or "local"
    now = datetime.datetime.now(datetime.timezone.utc)
    kind = env.get("ASSIGNMENT_TYPE", "")
    return {
        "schema": SCHEMA,
        "classroom": env.get("CLASSROOM") or "local",
        "assignment": env.get("ASSIGNMENT") or "milestone-chat",
        "assignment_type": kind if kind in ("individual", "group") else "individual",
        "owner": env.get("OWNER") or "local",
        "submission": tag if tag.startswith("submit/") else f"submit/{tag}",
        "commit": env.get("COMMIT_URL") or "local",
        "release": env.get("RELEASE_URL") or "local",
        "review": env.get("REVIEW_URL") or "local",
        "datetime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": score,
        "max-score": most,
    }


def _test(one: RequirementResult, result: Result) -> dict[str, Any]:
    most = 0 if one.outcome == WAIVED else one.max_points
    test = {
        "test-name": f"{one.id} {one.promise}",
        "passed": one.points >= most,
        "score": one.points,
        "max-score": most,
        "outcome": one.outcome,
        "output": visible(words.of_requirement(one, result), OUTPUT),
    }
    if one.hidden:
        test |= {"test-name": f"{one.id} (hidden)", "output": ""}
    return test


def _dump(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
