"""`make mutants`: grade all mutants, print the matrix, write docs/mutants.md.

That takes many minutes. So each verdict is kept in build/mutants/ until something changes that it
rests on: the milestone, what it is made of, its checks, the harness, the rules, or the mutant.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import click

from grading.rubric import Rubric, load

from .emptied import INVISIBLE, emptied
from .grade import Verdict, end_when_asked, grade, neighbours, quick
from .registry import FOLDERS, Mutant, find, mutants

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "mutants"
TABLE = ROOT / "docs" / "mutants.md"
SCOPES: dict[str, Callable[[Mutant, Rubric], list[str]]] = {
    "all": lambda mutant, rubric: [],
    "quick": quick,
    "neighbours": neighbours,
    "own": lambda mutant, rubric: [mutant.requirement, *mutant.also],
}


@click.command()
@click.option("-m", "--milestone", type=click.IntRange(1, 5), multiple=True, help="Only this one.")
@click.option("--of", metavar="ID", multiple=True, help="Only mutants of this requirement.")
@click.option(
    "--scope", type=click.Choice(list(SCOPES)), default="all", help="Which checks meet it."
)
@click.option("--emptied", "automatic", is_flag=True, help="The automatic mutants instead.")
@click.option("-n", "workers", default=4, show_default=True, help="Mutants graded at a time.")
@click.option("-v", "verbose", is_flag=True, help="Name the failed checks.")
@click.option("--write", "table", is_flag=True, help=f"Write {TABLE.relative_to(ROOT)}.")
@click.argument("keys", nargs=-1)
def main(
    milestone: tuple[int, ...],
    of: tuple[str, ...],
    scope: str,
    automatic: bool,
    workers: int,
    verbose: bool,
    table: bool,
    keys: tuple[str, ...],
) -> None:
    """Grade mutants; exit with 1 when one survives, or is killed where it should not be."""
    rubric = load()
    numbers = milestone or tuple(FOLDERS)
    wanted = [
        one
        for one in (emptied if automatic else mutants)(*numbers)
        if not (of or keys) or one.requirement in of or one.key in keys
    ]
    verdicts = []
    end_when_asked()
    # Each in a process of its own: a grading ends whatever its process has started.
    with get_context("spawn").Pool(workers, end_when_asked) as pool:
        asked = [(one.key, scope, SCOPES[scope](one, rubric)) for one in wanted]
        for one, (outcomes, failed) in zip(wanted, pool.imap(kept_or_graded, asked), strict=True):
            verdicts.append(Verdict(one, outcomes, failed))
            show(verdicts[-1], verbose)
        pool.close()
        pool.join()
    if automatic:
        for function, reason in INVISIBLE.items():
            print(f"not graded: {function}: {reason}")
    bad = sum(bool(verdict.problems) for verdict in verdicts)
    print(f"{len(wanted)} mutants, {bad} not as they should be")
    if table:
        TABLE.write_text("\n".join(document(verdicts, rubric)) + "\n")
    sys.exit(1 if bad else 0)


def kept_or_graded(
    asked: tuple[str, str, list[str]],
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Outcomes and failed checks of a mutant's key, in a scope, by some requirements: those of an
    earlier run, if nothing has changed since; else anew."""
    key, scope, only = asked
    mutant = find(key)
    file = KEPT / f"{key.replace('/', '-')}.{scope}.json"
    fingerprint = fingerprint_of(mutant)
    with contextlib.suppress(OSError, ValueError, KeyError):
        kept = json.loads(file.read_text())
        if kept["fingerprint"] == fingerprint:
            return kept["outcomes"], kept["failed"]
    verdict = grade(mutant, only)
    KEPT.mkdir(parents=True, exist_ok=True)
    row = {
        "fingerprint": fingerprint,
        "outcomes": verdict.outcomes,
        "failed": verdict.failed,
    }
    file.write_text(json.dumps(row, indent=1))
    return verdict.outcomes, verdict.failed


def fingerprint_of(mutant: Mutant) -> str:
    """A digest of everything that this verdict rests on."""
    number = mutant.milestone
    folders = ["common", FOLDERS[number], "tests/harness", f"tests/milestone{number}"]
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    files += [ROOT / "tests/every.py", ROOT / "grading/judge.py", ROOT / "grading/rubric.toml"]
    files += [ROOT / "tests/mutants/registry.py", ROOT / "tests/mutants/restless.py"]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    digest.update(without_the_others(mutant).encode())
    return digest.hexdigest()


def without_the_others(mutant: Mutant) -> str:
    """The code of a milestone's mutants, but for those that are decorated and not this one."""
    tree = ast.parse((ROOT / f"tests/mutants/milestone{mutant.milestone}.py").read_text())
    mine = getattr(mutant.replacement, "__name__", "")
    kept = [
        node
        for node in tree.body
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef))
        or not node.decorator_list
        or node.name == mine
    ]
    return ast.unparse(ast.Module(kept, []))


def show(verdict: Verdict, verbose: bool) -> None:
    """One line for a mutant, and what is wrong with its verdict."""
    one = verdict.mutant
    killed = " ".join(verdict.killed_by) or "nothing"
    skipped = f" (skipped: {' '.join(verdict.skipped)})" if verdict.skipped else ""
    print(f"{one.key:50} {one.requirement:5} killed by {killed}{skipped}")
    for problem in verdict.problems:
        print(f"    PROBLEM: {problem}")
    if verbose or verdict.problems:
        for requirement, checks in verdict.failed.items():
            for check in checks:
                print(f"      {requirement} {verdict.outcomes[requirement]}: {check}")
    sys.stdout.flush()


def document(verdicts: list[Verdict], rubric: Rubric) -> Iterator[str]:
    """The lines of the table that a reader can check."""
    bad = sum(bool(verdict.problems) for verdict in verdicts)
    yield "# Wrong programs, and what catches them"
    yield ""
    yield "Made by `make mutants`, not to be edited. Each row is a wrong program: the reference,"
    yield "but for one thing (`tests/mutants/`). It is graded by all checks of its milestone."
    yield ""
    yield "- **X**: failed, as it should: this is the promise that the program breaks;"
    yield "- o: skipped, for it rests on what failed;"
    yield "- !: failed, and should not have; ?: did not fail, and should have."
    yield ""
    yield f"{len(verdicts)} mutants, {bad} of them not as they should be."
    for number in FOLDERS:
        mine = [verdict for verdict in verdicts if verdict.mutant.milestone == number]
        if mine:
            yield from _table(number, mine, [r.id for r in rubric.of(number) if not r.manual])


def _table(number: int, verdicts: list[Verdict], ids: list[str]) -> Iterator[str]:
    yield ""
    yield f"## Milestone {number}"
    yield ""
    yield f"| mutant | what is wrong | {' | '.join(ids)} |"
    yield f"|---|---|{':-:|' * len(ids)}"
    for verdict in verdicts:
        one = verdict.mutant
        cells = " | ".join(_cell(verdict, requirement) for requirement in ids)
        side = {"server": "", "client": "(client) ", "both": "(both) "}[one.side]
        yield f"| `{one.name}` | {side}{one.fault.replace('|', '/')} | {cells} |"


def _cell(verdict: Verdict, requirement: str) -> str:
    wanted = requirement in (verdict.mutant.requirement, *verdict.mutant.also)
    outcome = verdict.outcomes.get(requirement)
    if outcome == "failed":
        return "**X**" if wanted else "!"
    if wanted:
        return "?"
    return "o" if outcome == "skipped" else " "


if __name__ == "__main__":
    main()
