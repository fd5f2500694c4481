"""What passed last time, so that a report can end with what has regressed since.

One small file for each submission in build/grades/, below the grader. It holds the outcome of each
requirement when it was last graded, with all its checks; a run with --only brings some up to date.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from .model import FAILED, PASSED, SKIPPED, Result
from .run import ROOT

FOLDER = ROOT / "build" / "grades"


def compare(result: Result, options: dict[str, Any], folder: Path = FOLDER) -> str:
    """Say what has regressed since the last run of this submission, and remember this one.

    Empty when there was none, or when only one stage was looked at.
    """
    if options["stage"]:
        return ""
    file = folder / f"{key_of(options)}.json"
    earlier = _read(file)
    graded = {one.id: one.outcome for one in result.requirements if one.checks}
    with contextlib.suppress(OSError):  # a place where nothing can be kept: then nothing is
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(earlier | graded, indent=1) + "\n")
    if not earlier.keys() & graded.keys():
        return ""
    lost = [one for one, outcome in graded.items() if regressed(earlier.get(one, ""), outcome)]
    return f"Regressed since last run: {', '.join(lost) or 'nothing'}"


def regressed(before: str, now: str) -> bool:
    """True when a promise that was kept is not kept any more. The grader's own errors are none of
    the student's, and what was waived is no loss."""
    return before == PASSED and now in (FAILED, SKIPPED)


def key_of(options: dict[str, Any]) -> str:
    """A name for the submission: the same programs, named from wherever, have the same."""
    named = [os.path.realpath(options["directory"]) if options["directory"] else ""]
    named += [options[key] or "" for key in ("server", "client", "attach")]
    if options["server"] or options["client"]:
        named.append(os.getcwd())  # commands with relative paths mean something else elsewhere
    return hashlib.sha256("\0".join(named).encode()).hexdigest()[:16]


def _read(file: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(file.read_text())
        if isinstance(kept, dict):
            return {str(key): str(value) for key, value in kept.items()}
    return {}
