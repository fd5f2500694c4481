"""What a mutant is, and how it takes the place of a part of the reference.

    @mutant("1.6", "server")
    class EchoesToEverybody(EchoServer):
        \"\"\"The echo goes to all clients.\"\"\"

        def echo(self, client: Client, data: bytes) -> None: ...

A class replaces the class that it derives from; a function, or a constant, replaces the one that
it is `instead_of`. Replaced is what the programs see under that name, wherever it was imported
to, so a mutant needs no copy of the reference and does not rot with it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

FOLDERS = {
    1: "milestone1_echo",
    2: "milestone2_users",
    3: "milestone3_rooms",
    4: "milestone4_p2p",
    5: "milestone5_threads",
}
_OURS = ("common", *FOLDERS.values())
_Replacement = TypeVar("_Replacement", bound=Callable[..., Any])


class Mutant(NamedTuple):
    """One wrong program."""

    milestone: int
    name: str
    requirement: str
    """The id of the promise that it breaks."""
    side: str
    """`server`, `client`, or `both`: which of the two programs is wrong."""
    fault: str
    """What is wrong with it, in one sentence."""
    original: Any
    replacement: Any
    also: tuple[str, ...] = ()
    """Further promises that the same fault breaks in so many words."""
    owner: Any = None
    """The class whose method is replaced, where it is not the whole class."""
    shown_by: str = ""
    """The check that shows it, without `test_`, where those of its requirement take long."""

    @property
    def key(self) -> str:
        """What it is called on the command line: `2/one-recv-is-one-frame`."""
        return f"{self.milestone}/{self.name}"

    def is_wrong(self, program: str) -> bool:
        """Whether this mutant's `server`, or `client`, differs from the reference."""
        return self.side in (program, "both")

    def install(self) -> None:
        """Put the replacement wherever the original is known by a name."""
        if self.owner is not None:
            setattr(self.owner, self.original.__name__, self.replacement)
            return
        places = 0
        for module_name, module in list(sys.modules.items()):
            if module_name.partition(".")[0] in _OURS:
                for name, value in list(vars(module).items()):
                    if value is self.original:
                        setattr(module, name, self.replacement)
                        places += 1
        if not places:
            raise LookupError(f"{self.key}: what it replaces is not in the reference any more")


_registered: dict[str, Mutant] = {}


def mutant(
    requirement: str,
    side: str,
    *,
    instead_of: Any = None,
    also: tuple[str, ...] = (),
    shown_by: str = "",
) -> Callable[[_Replacement], _Replacement]:
    """Register the decorated class or function as a mutant that breaks `requirement`.

    `side` says which program it is built into: `server`, `client` or `both`.
    """

    def register(replacement: _Replacement) -> _Replacement:
        original = instead_of
        if isinstance(replacement, type) and original is None:
            original = replacement.__mro__[1]
        add(requirement, side, _words(replacement.__name__), replacement.__doc__ or "", original,
            replacement, also, shown_by)  # fmt: skip
        return replacement

    return register


def add(
    requirement: str,
    side: str,
    name: str,
    fault: str,
    original: Any,
    replacement: Any,
    also: tuple[str, ...] = (),
    shown_by: str = "",
) -> None:
    """Register a mutant that is neither class nor function, such as another constant."""
    one = Mutant(
        milestone=int(requirement.partition(".")[0]),
        name=name,
        requirement=requirement,
        side=side,
        fault=" ".join(fault.split()),
        original=original,
        replacement=replacement,
        also=also,
        shown_by=shown_by,
    )
    assert one.key not in _registered, f"two mutants are called {one.key}"
    _registered[one.key] = one


def mutants(*milestones: int) -> list[Mutant]:
    """The mutants of these milestones, by requirement and name as they were written."""
    for milestone in milestones:
        importlib.import_module(f"tests.mutants.milestone{milestone}")
    return [one for one in _registered.values() if one.milestone in milestones]


def find(key: str) -> Mutant:
    """The mutant of that key. Raises KeyError."""
    milestone = key.partition("/")[0]
    if milestone.isdigit() and int(milestone) in FOLDERS:
        mutants(int(milestone))
        if "/emptied." in key:
            from .emptied import emptied

            return {one.key: one for one in emptied(int(milestone))}[key]
    return _registered[key]


def _words(name: str) -> str:
    """`EchoesToAll` and `echoes_to_all` as `echoes-to-all`."""
    spaced = "".join(f"-{c.lower()}" if c.isupper() else c for c in name)
    return spaced.strip("-").replace("_", "-")
