"""What consecutive milestones share is carried over unchanged, or the README says what changes.

The difference between two milestones is the lesson: a function that drifts for no reason hides it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = [
    ("milestone1_echo", "milestone2_users"),
    ("milestone2_users", "milestone3_rooms"),
    ("milestone3_rooms", "milestone4_p2p"),
]


def functions(path: Path) -> dict[str, str]:
    """Return the source of each function and method by its qualified name."""
    source = path.read_text()
    found = {}

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef):
                found[prefix + child.name] = ast.get_source_segment(source, child) or ""

    walk(ast.parse(source), "")
    return found


def drifted(old: str, new: str) -> set[str]:
    """Return `file.py: function` for what both have, but not alike."""
    result = set()
    for path in (ROOT / new).glob("*.py"):
        before = ROOT / old / path.name
        if before.exists():
            ours, theirs = functions(path), functions(before)
            result |= {
                f"{path.name}: {name}"
                for name in ours & theirs.keys()
                if ours[name] != theirs[name]
            }
    return result


def announced(new: str) -> set[str]:
    """Return the names in code style of the README's section "What changes"."""
    text = (ROOT / new / "README.md").read_text()
    section = re.search(r"^## What changes.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{new}/README.md has no section 'What changes'"
    return set(re.findall(r"`([\w.]+)`", section[0]))


@pytest.mark.parametrize(("old", "new"), STEPS)
def test_only_what_the_readme_names_has_changed(old: str, new: str) -> None:
    names = announced(new)
    silent = {
        change for change in drifted(old, new) if change.split(".")[-1].split(": ")[-1] not in names
    }
    assert not silent, f"changed, but not in {new}/README.md, 'What changes': {sorted(silent)}"


@pytest.mark.parametrize(("old", "new"), STEPS)
def test_what_the_readme_names_exists(old: str, new: str) -> None:
    known = {path.name for folder in (old, new) for path in (ROOT / folder).glob("*.py")}
    for path in [
        *(ROOT / new).glob("*.py"),
        *(ROOT / old).glob("*.py"),
        *(ROOT / "common").glob("*.py"),
    ]:
        for name in functions(path):
            known |= set(name.split("."))
        known |= {
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef)
        }
        known.add(f"common.{path.stem}")
    assert announced(new) <= known, sorted(announced(new) - known)


@pytest.mark.parametrize(
    "folder", ["milestone1_echo", "milestone2_users", "milestone3_rooms", "milestone4_p2p"]
)
def test_a_milestone_imports_common_and_itself_alone(folder: str) -> None:
    for path in (ROOT / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.startswith("milestone"):
                assert module.split(".")[0] == folder, f"{path} imports {module}"
