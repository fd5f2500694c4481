"""Which files can be written of a grading, and the options that ask for them.

The files for course systems are promised: `begin` writes a valid one before anything is run, so
that whatever happens afterwards, one is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from . import classroom50, gradescope, html, junit, markdown, pcap
from .model import Result

Command = TypeVar("Command", bound=Callable[..., Any])

UNFINISHED = (
    "The grader did not come to its end. This is not your fault: please tell your instructor."
)


def write_json(result: Result, path: Path) -> None:
    """The model itself. Raises OSError."""
    path.write_text(json.dumps(result.as_json(), indent=2) + "\n")


FORMATS: dict[str, tuple[Callable[[Result, Path], None], str]] = {
    "json": (write_json, "Write the result model."),
    "junit": (junit.write, "Write JUnit XML."),
    "html": (html.write, "Write one HTML page, with diagrams of what failed."),
    "markdown": (markdown.write, "Write Markdown, for a pull request or a job summary."),
    "gradescope": (gradescope.write, "Write Gradescope's results.json."),
    "classroom50": (classroom50.write, "Write Classroom 50's result.json."),
    "pcap": (pcap.write, "Write the bytes of the first failed check, for Wireshark."),
}
PROMISED: dict[str, Callable[[str, Path], None]] = {
    "gradescope": gradescope.write_broken,
    "classroom50": classroom50.write_broken,
}


def options(command: Command) -> Command:
    """Give a click command one option for each format."""
    for name, (_, about) in reversed(FORMATS.items()):
        option = click.option(f"--{name}", f"{name}_file", metavar="FILE", help=about)
        command = option(command)
    return command


def begin(chosen: Mapping[str, Any], why: str = UNFINISHED) -> None:
    """Write the promised files as those of a grading that failed. Raises click.UsageError."""
    for name, write in PROMISED.items():
        if chosen[f"{name}_file"]:
            try:
                write(why, Path(chosen[f"{name}_file"]))
            except OSError as error:
                raise click.UsageError(f"--{name}: {error}") from None


def write(result: Result, chosen: Mapping[str, Any]) -> None:
    """Write the files that were asked for. Raises click.UsageError where one cannot be."""
    for name, (write_one, _) in FORMATS.items():
        if chosen[f"{name}_file"]:
            try:
                write_one(result, Path(chosen[f"{name}_file"]))
            except OSError as error:
                raise click.UsageError(f"cannot write the report: --{name}: {error}") from None
