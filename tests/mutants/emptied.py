"""Automatic mutants: every function that names a requirement of its own milestone, emptied.

Nobody writes such a program, but a check that does not notice a missing function does not check
its promise. One of the ids that the function names must fail, or be skipped for resting on what
failed; what else fails is of no interest.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from grading.handout import ids_of, only_a_docstring

from .registry import FOLDERS, Mutant

ROOT = Path(__file__).resolve().parents[2]
INVISIBLE = {
    "EchoServer.find_quit": "the client closes the connection, whatever the server makes of /quit",
    "EchoServer.close": "the kernel closes what is left open when a process ends",
    "Receiving._refuse": "no check fills the receiver's disk",
    "ChatClient.leave": "a client that just closes ends its session, too",
    "ChatClient.close": "with the process its threads and sockets end",
    "ChatServer.forget": "what is left of a session is less than a visit may cost",
    "ChatServer.stop": "with the process its sockets end, and the clients say so",
}
"""Functions of which nobody outside can tell whether they did their part, and why."""


def emptied(*milestones: int) -> list[Mutant]:
    """One mutant for each such function of these milestones, in the order of files and lines."""
    return [
        one
        for milestone in milestones
        for path in sorted((ROOT / FOLDERS[milestone]).glob("[a-z]*.py"))
        for one in _of_file(milestone, path)
    ]


def _of_file(milestone: int, path: Path) -> list[Mutant]:
    found = []
    tree = ast.parse(path.read_text())
    for outer in tree.body:
        functions = outer.body if isinstance(outer, ast.ClassDef) else [outer]
        for node in functions:
            if not isinstance(node, ast.FunctionDef) or only_a_docstring(node):
                continue
            ids = [one for one in ids_of(node) if one.startswith(f"{milestone}.")]
            ids = [one for one in ids if one != "1.8"]  # not visible from outside
            owner = outer.name if isinstance(outer, ast.ClassDef) else ""
            if ids and f"{owner}.{node.name}" not in INVISIBLE:
                found.append(_emptied(milestone, path.stem, owner, node.name, ids))
    return found


def _emptied(milestone: int, module: str, owner: str, function: str, ids: list[str]) -> Mutant:
    where = importlib.import_module(f"{FOLDERS[milestone]}.{module}")
    if owner:
        where = getattr(where, owner)
    name = ".".join(filter(None, ("emptied", module, owner, function)))
    return Mutant(
        milestone=milestone,
        name=name,
        requirement=ids[0],
        side=module if module in ("server", "client") else "both",
        fault=f"{'.'.join(filter(None, (owner, function)))} does nothing.",
        original=getattr(where, function),
        replacement=_nothing,
        also=tuple(ids[1:]),
        owner=where if owner else None,
    )


def _nothing(*_args: object, **_options: object) -> None:
    """Do nothing."""
