"""What a student is given: `python -m grading.handout ../course [--language c]`.

In Python: `common/`, the milestones with the bodies of all functions taken out that keep a
promise of the requirements, the lessons, and the grader. In C: a folder per milestone with an
empty `main`, and the same grader. Nothing of the solution, and none of our own tests.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
FILES = Path(__file__).with_name("handout_files")
MILESTONES = (
    "milestone1_echo",
    "milestone2_users",
    "milestone3_rooms",
    "milestone4_p2p",
    "milestone5_threads",
)
GRADER = (
    *("grading", "common", "pyproject.toml", "LICENSE", ".gitignore"),
    *("docs/requirements.md", "docs/protocol.md", "docs/grading.md"),
    *("tests/__init__.py", "tests/every.py", "tests/harness"),
    *(f"tests/milestone{number}" for number in range(1, 6)),
)
"""What the grader needs, wherever it stands; what is not there is left out."""
NOT_GIVEN = ("handout.py", "handout_files", "__pycache__")

_IDS = re.compile(r"\b[1-5N]\.(?:\d{1,2}|[A-CQ])\b")
_NAMED = re.compile(rf"\((?:requirement )?({_IDS.pattern}(?:(?:, | to |, and ){_IDS.pattern})*)\)")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--language", type=click.Choice(["python", "c"]), default="python")
def main(out: Path, language: str) -> None:
    """Write what a student is given into the new directory OUT."""
    try:
        write(out, language)
    except FileExistsError:
        print(f"{out} is there already and not empty: remove it, or choose another directory")
        sys.exit(1)
    except OSError as error:
        print(f"cannot write the hand-out: {error}")
        sys.exit(1)
    print(f"The hand-out is in {out}: begin with its README.md")


def write(out: Path, language: str = "python") -> None:
    """Write the hand-out. Raises FileExistsError where there is something already, OSError."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(out)
    for name in GRADER:
        copy(ROOT / name, out / name)
    shutil.copytree(FILES / language, out, dirs_exist_ok=True)
    if language == "python":
        copy(ROOT / "demo", out / "demo")
        for name in MILESTONES:
            write_skeleton(ROOT / name, out / name)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a directory, if it is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*NOT_GIVEN))
    elif source.is_file():
        shutil.copy(source, target)


def write_skeleton(source: Path, target: Path) -> None:
    """Copy a milestone without what the student is to write."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.suffix == ".py":
            (target / path.name).write_text(skeleton(path.read_text()))
        elif path.is_file():
            shutil.copy(path, target)


# -- a skeleton ----------------------------------------------------------------------------------


def skeleton(source: str, given: Collection[str] = ()) -> str:
    """Return `source` with functions that name a requirement emptied: docstring and a `raise`.

    A function names requirements in its docstring, else through its class or its module: `(2.9)`
    or `(2.1, 2.2)`. `given` are functions to be left as they are, such as `ChatServer.echo`.
    """
    lines = source.splitlines(keepends=True)
    for name, function, ids in reversed(list(promising(ast.parse(source)))):
        if name in given:
            continue
        first, last = body_lines(function)
        indent = " " * function.body[0].col_offset
        lines[first - 1 : last] = [
            f'{indent}raise NotImplementedError("{", ".join(ids)}: {name}")\n'
        ]
    return "".join(lines)


def promising(tree: ast.Module) -> Iterator[tuple[str, _Function, list[str]]]:
    """Yield every function that keeps a promise: its name, itself, and the ids, in their order."""
    of_module = ids_of(tree)
    for node in tree.body:
        if isinstance(node, _Function):
            yield from _one(node.name, node, of_module)
        elif isinstance(node, ast.ClassDef):
            of_class = ids_of(node) or of_module
            for inner in node.body:
                if isinstance(inner, _Function):
                    yield from _one(f"{node.name}.{inner.name}", inner, of_class)


def _one(
    name: str, node: _Function, inherited: list[str]
) -> Iterator[tuple[str, _Function, list[str]]]:
    ids = ids_of(node)
    if not ids and not name.endswith("__init__") and ast.get_docstring(node):
        ids = inherited
    if ids and not only_a_docstring(node):
        yield name, node, ids


def ids_of(node: ast.Module | ast.ClassDef | _Function) -> list[str]:
    """The requirements that a docstring names in parentheses, in their order."""
    found = _NAMED.findall(ast.get_docstring(node) or "")
    return list(dict.fromkeys(one for group in found for one in _IDS.findall(group)))


def only_a_docstring(node: _Function) -> bool:
    """True for a method that is there to be overridden."""
    return len(node.body) == 1 and ast.get_docstring(node) is not None


def body_lines(node: _Function) -> tuple[int, int]:
    """First and last line of what follows the docstring, comments included."""
    first = node.body[1] if ast.get_docstring(node) is not None else node.body[0]
    before = node.body[0].end_lineno if first is not node.body[0] else None
    start = before + 1 if before else first.lineno
    assert node.end_lineno is not None
    return start, node.end_lineno


if __name__ == "__main__":
    main()
