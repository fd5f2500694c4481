"""`make flake MILESTONE=2 N=50 LOAD=4`: does the grader say the same every time, under load?

The reference and a few mutants are graded again and again while busy processes keep every
processor from them. Every check whose outcome differs from its outcome in the first round is
reported; the first round runs without load.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from grading import run
from grading.cli import reference

from .grade import end_when_asked, is_slow, settings
from .registry import Mutant, mutants

BUSY = "while True: pass"
Outcomes = dict[str, str]


@click.command()
@click.option("-m", "--milestone", type=click.IntRange(1, 5), required=True)
@click.option("--rounds", default=20, show_default=True, help="How many rounds under load.")
@click.option("--load", default=4, show_default=True, help="Busy processes for each processor.")
@click.option("--mutants", "few", default=3, show_default=True, help="Mutants in each round.")
@click.option("-n", "workers", default=2, show_default=True, help="Checks that run at a time.")
def main(milestone: int, rounds: int, load: int, few: int, workers: int) -> None:
    """Grade again and again under load; exit with 1 when an outcome differs."""
    end_when_asked()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(1))  # no traceback for Ctrl-C
    programs: list[Mutant | None] = [None, *some_of(mutants(milestone), few)]
    expected = [outcomes(milestone, program, workers) for program in programs]
    count = sum(len(one) for one in expected)
    names = ", ".join(program.key if program else "the reference" for program in programs)
    print(f"{count} outcomes of {names}", flush=True)
    differing = 0
    with busy(load * (os.cpu_count() or 1)):
        for number in range(1, rounds + 1):
            began = time.monotonic()
            found = 0
            for program, first in zip(programs, expected, strict=True):
                found += report(program, first, outcomes(milestone, program, workers))
            differing += found
            seconds = time.monotonic() - began
            print(f"round {number} of {rounds}: {found} differ, {seconds:.0f} s", flush=True)
    print(
        f"{differing} of {count * rounds} outcomes differ, at {load} busy processes per processor"
    )
    sys.exit(1 if differing else 0)


def some_of(every: list[Mutant], few: int) -> list[Mutant]:
    """A few mutants of different requirements, the same in every run. None of N.B and N.C: what a
    busy loop or a blocked server does under load is known."""
    calm = [one for one in every if not is_slow(one.requirement)]
    step = max(1, len(calm) // max(1, few))
    return calm[step // 2 :: step][:few] if few else []


def outcomes(milestone: int, program: Mutant | None, workers: int) -> Outcomes:
    """What each check says of a mutant, or of the reference."""
    chosen = settings(program) if program else reference_settings(milestone)
    with tempfile.TemporaryDirectory(prefix="flake-") as workdir:
        records = run.run_checks({milestone: chosen}, Path(workdir), workers=workers)
    return {f"{'/'.join(r['requirements'])} {name_of(r['id'])}": r["outcome"] for r in records}


def reference_settings(milestone: int) -> dict[str, object]:
    """What the harness is told when it grades our own programs."""
    return {
        "milestone": milestone,
        "seed": "0",
        "server": reference(milestone, "server"),
        "client": reference(milestone, "client"),
    }


def name_of(test: str) -> str:
    """A check's id without the file's name."""
    return test.rpartition("::")[2]


def report(program: Mutant | None, first: Outcomes, now: Outcomes) -> int:
    """Print what differs; return how many."""
    found = 0
    for check in sorted(first.keys() | now.keys()):
        before, after = first.get(check, "not run"), now.get(check, "not run")
        if before != after:
            found += 1
            print(f"  {program.key if program else 'reference'}: {check}: {before}, now {after}")
    return found


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep `count` processes busy meanwhile."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


if __name__ == "__main__":
    main()
