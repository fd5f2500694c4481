"""What a milestone adds: `python3 -m demo.difference milestone2_users milestone3_rooms`.

First the list "What changes" of the newer one's README, then file by file what is new. A line
that differs only by the milestone's own name is not shown.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALIKE = 0.3
"""Files that share less than this are not compared line by line: one was written anew."""
COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m", "=": "\x1b[1m"}


def compare(old: str, new: str) -> Iterator[str]:
    """Return the lesson's lines: the list of changes, then the differences."""
    yield from what_changes(ROOT / new / "README.md")
    old_files = {path.name: path for path in sorted((ROOT / old).glob("[a-z]*.py"))}
    new_files = {path.name: path for path in sorted((ROOT / new).glob("[a-z]*.py"))}
    for name in sorted(old_files.keys() - new_files.keys()):
        yield f"=== {name}: no longer needed"
    for name, path in new_files.items():
        before = renamed(old_files[name], old, new) if name in old_files else []
        yield from compare_files(name, before, path.read_text().splitlines())


def compare_files(name: str, before: list[str], after: list[str]) -> Iterator[str]:
    """Return what is new in one file."""
    if before == after:
        return
    if not before or difflib.SequenceMatcher(None, before, after).ratio() < ALIKE:
        yield f"=== {name}: {'written anew' if before else 'new'}, {len(after)} lines"
        yield from (f"+{line}" for line in after)
        return
    changes = list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]
    added = sum(line.startswith("+") for line in changes)
    removed = sum(line.startswith("-") for line in changes)
    yield f"=== {name}: {added} lines added, {removed} removed"
    yield from with_places(changes, after)


def with_places(changes: list[str], after: list[str]) -> Iterator[str]:
    """Return the changes with the class or function they are in, in place of line numbers."""
    for line in changes:
        found = re.match(r"@@ .* \+(\d+)", line)
        if found is None:
            yield line
        else:
            start = int(found[1])
            heads = re.findall(r"^ *(?:class|def) (\w+)", "\n".join(after[:start]), re.MULTILINE)
            yield f"@@ line {start}" + (f", after the beginning of {heads[-1]}" if heads else "")


def renamed(path: Path, old: str, new: str) -> list[str]:
    """Return the older file's lines as they would read in the newer milestone."""
    number = re.findall(r"\d", old)[0], re.findall(r"\d", new)[0]
    text = path.read_text().replace(old, new)
    return text.replace(f"Milestone {number[0]}", f"Milestone {number[1]}").splitlines()


def what_changes(readme: Path) -> Iterator[str]:
    """Return the section "What changes" of a README."""
    text = readme.read_text() if readme.exists() else ""
    found = re.search(r"^## (What changes.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found:
        yield from f"=== {found[1].strip()}".splitlines()


def main() -> int:
    """Print the difference of the two milestones that the command line names."""
    parser = argparse.ArgumentParser(prog="demo.difference", description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    args = parser.parse_args()
    colourful = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    try:
        for line in compare(args.old, args.new):
            colour = COLOURS.get(line[:1], "") if colourful else ""
            print(f"{colour}{line}\x1b[0m" if colour else line)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    return 0


if __name__ == "__main__":
    sys.exit(main())
