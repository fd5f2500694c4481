"""`python -m grading grade ...`: the command line.

Exit status: 0 when grading took place, whatever the grade; 2 for a mistake in the command; 3 when
the grader itself broke.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import secrets
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import __version__, fault, history, judge, model, reports, run, submission, terminal
from .rubric import Rubric, RubricError, load

BROKEN = 3
FOLDERS = {
    1: "milestone1_echo",
    2: "milestone2_users",
    3: "milestone3_rooms",
    4: "milestone4_p2p",
    5: "milestone5_threads",
}


@click.group()
@click.version_option(__version__, prog_name="grading")
def main() -> None:
    """Grade a submission of Milestone Chat, requirement by requirement."""


@main.command()
@click.option(
    "--milestone",
    "-m",
    "milestones",
    multiple=True,
    required=True,
    metavar="N",
    help="1 to 5; several times, or a range such as 2-4.",
)
@click.option("--submission", "directory", metavar="DIR", help="The directory to be graded.")
@click.option(
    "--server",
    metavar="CMD",
    help="The server's command, e.g. './server {port}'; `reference` takes ours.",
)
@click.option(
    "--client",
    metavar="CMD",
    help="The client's command, e.g. './client {host} {port}'; `reference` takes ours.",
)
@click.option("--attach", metavar="HOST:PORT", help="Use a server that is already running.")
@click.option(
    "--only", metavar="ID", multiple=True, help="Only this requirement, e.g. 2.9; several times."
)
@click.option("--stage", type=click.Choice(["wire", "terminal"]), help="Only this stage.")
@click.option(
    "-n",
    "workers",
    type=click.IntRange(1, 64),
    default=None,
    help="How many checks run at a time (default: one for each processor).",
)
@click.option("--seed", metavar="N", help="Repeat the tokens of an earlier run.")
@click.option(
    "--whose-fault",
    is_flag=True,
    help="Play what failed on the terminal with our client, and with our server, too.",
)
@reports.options
@click.option("--manual", metavar="FILE", help='JSON: the instructor\'s points, {"1.8": 1}.')
@click.option("--rubric", metavar="FILE", help="Another rubric than grading/rubric.toml.")
def grade(**options: Any) -> None:
    """Grade a submission and print the report."""
    reports.begin(options)
    # Ended from outside, the grader leaves in the ordinary way and takes its processes along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(BROKEN))
    try:
        rubric = load(Path(options["rubric"])) if options["rubric"] else load()
        milestones = parse_milestones(options["milestones"])
        for wanted in options["only"]:
            if wanted not in rubric or rubric[wanted].milestone not in milestones:
                raise click.UsageError(f"--only {wanted}: no such requirement in these milestones")
        manual = read_manual(options["manual"], rubric)
        with tempfile.TemporaryDirectory(prefix="grade-") as workdir:
            result = grade_into(Path(workdir), options, rubric, milestones, manual)
            reports.write(result, options)
    except (RubricError, submission.SubmissionError) as error:
        reports.begin(options, f"Nothing could be graded: {error}")
        raise click.UsageError(str(error)) from None
    except run.GraderBroke as error:
        click.echo(f"The grader broke: {error}", err=True)
        sys.exit(BROKEN)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    terminal.show(result, console)
    if since := history.compare(result, options):
        console.print(since)
    sys.exit(BROKEN if result.errors else 0)


def parse_milestones(words: tuple[str, ...]) -> list[int]:
    """`2`, `2-4`, or several of them. Raises click.UsageError."""
    numbers: list[int] = []
    for word in words:
        first, _, last = word.partition("-")
        try:
            numbers += range(int(first), int(last or first) + 1)
        except ValueError:
            raise click.UsageError(f"--milestone {word}: give a number from 1 to 5") from None
    if not numbers or not set(numbers) <= set(FOLDERS):
        raise click.UsageError(f"--milestone {' '.join(words)}: give a number from 1 to 5")
    return sorted(set(numbers))


def read_manual(path: str | None, rubric: Rubric) -> dict[str, int]:
    """The instructor's points: a JSON object of id -> whole number. Raises click.UsageError."""
    if not path:
        return {}
    try:
        points = json.loads(Path(path).read_text())
        if not isinstance(points, dict) or not all(type(v) is int for v in points.values()):
            raise ValueError("not an object of id: whole number")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--manual {path}: {error}") from None
    for key in points:
        if key not in rubric or not rubric[key].manual:
            raise click.UsageError(f"--manual {path}: {key} is no manual requirement")
    return points


def grade_into(
    workdir: Path,
    options: dict[str, Any],
    rubric: Rubric,
    milestones: list[int],
    manual: dict[str, int],
) -> model.Result:
    """Prepare the submission, run the checks, judge them."""
    began = time.monotonic()
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    seed = options["seed"] or secrets.token_hex(4)
    found = submission.Submission()
    if options["directory"]:
        found = submission.prepare(Path(options["directory"]), milestones, workdir)
    settings = {n: settings_for(n, options, found, seed) for n in milestones}
    records = _run_with_progress(settings, workdir, options)
    if options["only"]:
        records = [r for r in records if set(options["only"]) & set(r["requirements"])]
    results = judge.judge(rubric, milestones, records, manual)
    if options["only"]:
        results = [one for one in results if one.id in options["only"]]
    if options["whose_fault"]:
        fault.find(results, settings, reference, functools.partial(_play_again, workdir, options))
    return model.Result(
        milestones=judge.milestone_results(rubric, milestones, results),
        requirements=results,
        submission=describe(options),
        seed=seed,
        rubric=rubric.digest,
        grader=__version__,
        policy=rubric.combine,
        started=started,
        seconds=round(time.monotonic() - began, 3),
        replay=replay_command(options),
        build=found.build_log,
        errors=[
            f"{r['requirements'][0]}: grader error in {r['id']}: {r['came'][-600:]}"
            for r in records
            if r["outcome"] == model.ERROR
        ],
    )


def settings_for(
    milestone: int, options: dict[str, Any], found: submission.Submission, seed: str
) -> dict[str, Any]:
    """What the harness is told of this milestone (tests/harness/settings.py)."""
    given = options["directory"] or options["server"] or options["client"] or options["attach"]
    chosen: dict[str, Any] = {
        "milestone": milestone,
        "seed": seed,
        "source": found.source,
        "folder": found.folders.get(milestone, "."),
        "attach": options["attach"] or "",
    }
    for what, discovered in (("server", found.servers), ("client", found.clients)):
        if options[what] == "reference" or not given:
            chosen[what] = reference(milestone, what)
            chosen[f"reference_{what}"] = True
        elif options[what] and options["directory"]:
            chosen[what] = shlex.split(options[what])
        elif options[what]:
            chosen[what] = submission.command(options[what], what)
        else:
            chosen[what] = discovered.get(milestone, [])
    return chosen


def reference(milestone: int, what: str) -> list[str]:
    """The command of our own server or client."""
    program = run.ROOT / FOLDERS[milestone] / f"{what}.py"
    arguments = ["{port}"] if what == "server" else ["{host}", "{port}"]
    return [sys.executable, str(program), *arguments]


def _run_with_progress(
    settings: dict[int, dict[str, Any]], workdir: Path, options: dict[str, Any]
) -> list[model.Record]:
    console = Console(stderr=True)
    with Progress(
        TextColumn("checks"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("checks", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        return run.run_checks(
            settings,
            workdir,
            workers=options["workers"] or os.cpu_count() or 1,
            stage=options["stage"],
            only=list(options["only"]),
            progress=report,
        )


def _play_again(
    workdir: Path, options: dict[str, Any], settings: fault.Settings, only: list[str], name: str
) -> list[model.Record]:
    """The terminal checks of these requirements, with other programs (grading/fault.py)."""
    place = workdir / name
    place.mkdir()
    workers = options["workers"] or os.cpu_count() or 1
    return run.run_checks(settings, place, workers=workers, stage="terminal", only=only)


def describe(options: dict[str, Any]) -> str:
    """What was graded, for the report."""
    named = [options[key] for key in ("directory", "server", "client", "attach") if options[key]]
    return ", ".join(named) or "the reference"


def replay_command(options: dict[str, Any]) -> str:
    """The command line that grades the same thing again; {milestone} is still to be filled in."""
    parts = [_interpreter(), "-m", "grading", "grade", "--milestone", "{milestone}"]
    for key, flag in (
        ("directory", "--submission"),
        ("server", "--server"),
        ("client", "--client"),
        ("attach", "--attach"),
    ):
        if options[key]:
            parts += [flag, shlex.quote(options[key])]
    return " ".join(parts)


def _interpreter() -> str:
    """What to type for the Python that runs us: the one of `make grade` is in no PATH."""
    with contextlib.suppress(ValueError):
        return shlex.quote(str(Path(sys.executable).relative_to(Path.cwd())))
    return "python"
