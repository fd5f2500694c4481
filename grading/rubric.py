"""The single list of what is graded, read from rubric.toml."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path(__file__).with_name("rubric.toml")
_KEYS = {"id", "promise", "points", "rests_on", "core", "scored", "manual", "bonus", "hidden"}


class RubricError(Exception):
    """The rubric cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Requirement:
    """One line of the rubric."""

    id: str
    promise: str
    points: int
    rests_on: tuple[str, ...] = ()
    core: str = ""
    """The check that others rest on; empty: all of them."""
    scored: str = "all"
    manual: bool = False
    bonus: bool = False
    hidden: bool = False

    @property
    def milestone(self) -> int:
        """The milestone that it belongs to."""
        return int(self.id.partition(".")[0])

    @property
    def by_share(self) -> bool:
        """Scored by the share of cases that hold, instead of all or nothing."""
        return self.scored == "share"


@dataclass(frozen=True)
class Rubric:
    """All requirements, in order, and how milestones combine."""

    requirements: tuple[Requirement, ...]
    combine: str
    digest: str
    """SHA-256 of the file's bytes, so that two grades can be told to rest on the same rules."""

    def of(self, milestone: int) -> list[Requirement]:
        """The requirements of one milestone."""
        return [one for one in self.requirements if one.milestone == milestone]

    def __getitem__(self, wanted: str) -> Requirement:
        """The requirement with this id. Raises KeyError."""
        for one in self.requirements:
            if one.id == wanted:
                return one
        raise KeyError(wanted)

    def __contains__(self, wanted: object) -> bool:
        return any(one.id == wanted for one in self.requirements)


def load(path: Path = DEFAULT) -> Rubric:
    """Read a rubric. Raises RubricError."""
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode())
    except (OSError, ValueError) as error:
        raise RubricError(f"{path}: {error}") from None
    requirements = tuple(_requirement(path, row) for row in table.get("requirement", []))
    combine = table.get("policy", {}).get("combine", "sum")
    if combine not in ("sum", "ladder"):
        raise RubricError(f"{path}: combine is {combine!r}, neither 'sum' nor 'ladder'")
    known = {one.id for one in requirements}
    if len(known) != len(requirements):
        raise RubricError(f"{path}: an id stands there twice")
    for one in requirements:
        for other in one.rests_on:
            if other not in known:
                raise RubricError(f"{path}: {one.id} rests on {other}, which is not in the list")
    return Rubric(requirements, combine, hashlib.sha256(raw).hexdigest())


def _requirement(path: Path, row: dict[str, Any]) -> Requirement:
    unknown = set(row) - _KEYS
    if unknown or not {"id", "promise", "points"} <= set(row):
        raise RubricError(f"{path}: {row.get('id', row)}: id, promise, points; not {unknown}")
    if not isinstance(row["points"], int) or row["points"] < 0:
        raise RubricError(f"{path}: {row['id']}: points must be a whole number, 0 or more")
    if row.get("scored", "all") not in ("all", "share"):
        raise RubricError(f"{path}: {row['id']}: scored is neither 'all' nor 'share'")
    return Requirement(**{**row, "rests_on": tuple(row.get("rests_on", ()))})
