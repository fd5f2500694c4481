"""Run the checks with pytest, in a process of its own, and collect a record for each."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from .model import Record

ROOT = Path(__file__).resolve().parents[1]
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
NO_TESTS = 5  # pytest's exit status when nothing was collected
RUN_SECONDS = 3600
"""However bad the programs are: after this long the run is ended."""


class GraderBroke(Exception):
    """pytest itself failed; the message holds what it printed last."""


def run_checks(
    settings: dict[int, dict[str, Any]],
    workdir: Path,
    *,
    workers: int = 0,
    stage: str | None = None,
    only: Sequence[str] = (),
    until_failed: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Run the checks of the milestones in `settings` (milestone -> tests/harness/settings.py).

    `only` holds requirements, or single checks as `2.5/test_who_lists_everybody`; `until_failed`
    leaves out the checks of a requirement that come behind its first failure.
    Raises GraderBroke when pytest could not do its work.
    """
    results = workdir / "records.jsonl"
    results.touch()
    chosen = workdir / "settings.json"
    chosen.write_text(json.dumps({str(k): v for k, v in settings.items()}))
    arguments = [str(ROOT / f"tests/milestone{number}") for number in settings]
    arguments += ["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
    arguments += ["-p", "pytest_timeout", "-p", "tests.harness.plugin"]
    arguments += [f"--grade-settings={chosen}", f"--grade-results={results}"]
    arguments += [f"--basetemp={workdir / 'pytest'}"]
    arguments += ["-p", "xdist.plugin", "-n", str(workers)] if workers > 1 else []
    arguments += [f"--stage={stage}"] if stage else []
    arguments += [f"--only={one}" for one in only]
    arguments += ["--until-failed"] if until_failed else []
    others = set(psutil.Process().children(recursive=True))
    _adopt_orphans()
    with open(workdir / "pytest.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # What else is installed beside pytest has no part in a grading.
            env={**os.environ, "TMPDIR": str(workdir), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
    try:
        _follow(process, results, progress)
    finally:
        _end_family(process, others)
    records, _ = _read(results)
    if process.returncode not in (0, 1, NO_TESTS):
        said = (workdir / "pytest.log").read_text(errors="replace")[-3000:]
        raise GraderBroke(f"pytest ended with status {process.returncode}:\n{said}")
    return sorted(records, key=lambda record: str(record["id"]))


def _adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (prctl(2)), so that none is
    lost sight of, whatever becomes of pytest and its workers."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_family(process: subprocess.Popen[bytes], others: set[psutil.Process]) -> None:
    """End pytest and all that it or the programs under test have left, but not our `others`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while left := set(psutil.Process().children(recursive=True)) - others:
        for child in left:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(left, timeout=5)


def _follow(
    process: subprocess.Popen[bytes], results: Path, progress: Callable[[int, int], None]
) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
        records, total = _read(results)
        progress(len(records), total)
    else:
        raise GraderBroke(f"the checks were not finished after {RUN_SECONDS} s")
    records, total = _read(results)
    progress(len(records), total)


def _read(results: Path) -> tuple[list[Record], int]:
    """The records so far, and how many there will be."""
    records: list[Record] = []
    total = 0
    for line in results.read_text().splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if "collected" in row:
                total = max(total, int(row["collected"]))
            else:
                records.append(row)
    return records, total
