"""Whose fault is it? A failure on the terminal tells that server and client do not do it together.

So what failed there is played twice more: with the submission's server and our client, and with
our server and the submission's client. One of the two works: the other program is at fault. That
needs a common language: where a submission speaks a dialect of its own, nothing can be said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .model import FAILED, PASSED, Record, RequirementResult

Settings = dict[int, dict[str, Any]]
Again = Callable[[Settings, list[str], str], list[Record]]
"""Runs the terminal checks of these requirements once more; the last is a name for the run."""

SERVER, CLIENT, BOTH, TOGETHER, UNKNOWN = "server", "client", "both", "together", "unknown"
IN_WORDS = {
    SERVER: "With our client it fails as well, with our server it works: look at your server.",
    CLIENT: "With our server it fails as well, with our client it works: look at your client.",
    BOTH: "It fails with our client and with our server, too: look at both of your programs.",
    TOGETHER: (
        "Each of your programs does it with ours: what they say to each other is not what the "
        "protocol says, or it fails only now and then."
    ),
    UNKNOWN: (
        "Your programs and ours do not understand each other, so it cannot be said whether "
        "the server or the client is at fault."
    ),
}
FIRST = {1: "1.4", 2: "2.1", 3: "3.1", 4: "4.1", 5: "5.2"}
"""Milestone -> what two programs that understand each other can surely do, at least in part."""


def find(
    results: list[RequirementResult],
    settings: Settings,
    reference: Callable[[int, str], list[str]],
    again: Again,
) -> None:
    """Write into every check that failed on the terminal whose fault it is, as `fault`, and say
    it in its hint. Nothing is done where one of the programs is ours, or is not there."""
    for milestone, chosen in settings.items():
        own = chosen["server"] and chosen["client"] and not chosen["attach"]
        ours = chosen.get("reference_server") or chosen.get("reference_client")
        mine = [one for one in results if one.milestone == milestone]
        wanted = [one.id for one in mine if any(map(_failed_on_terminal, one.checks))]
        if ours or not own or not wanted:
            continue
        only = sorted({*wanted, FIRST[milestone]})
        outcomes = {}
        for side in ("server", "client"):
            mixed = {**chosen, side: reference(milestone, side), f"reference_{side}": True}
            records = again({milestone: mixed}, only, f"our-{side}-{milestone}")
            outcomes[side] = {record["id"]: record["outcome"] for record in records}
        for check in (c for one in mine for c in one.checks if _failed_on_terminal(c)):
            fault = verdict(check["id"], outcomes["client"], outcomes["server"])
            check["fault"] = fault
            check["hint"] = f"{check['hint']} {IN_WORDS[fault]}".strip()


def _failed_on_terminal(check: Record) -> bool:
    return bool(check["stage"] == "terminal" and check["outcome"] == FAILED)


def verdict(check: str, with_our_client: dict[str, str], with_our_server: dict[str, str]) -> str:
    """What two further runs (check id -> outcome) say of a check that failed."""
    works_with = [outcomes.get(check) == PASSED for outcomes in (with_our_client, with_our_server)]
    if works_with == [True, True]:
        return TOGETHER
    if works_with == [True, False]:
        return CLIENT
    if works_with == [False, True]:
        return SERVER
    understood = all(PASSED in outcomes.values() for outcomes in (with_our_client, with_our_server))
    return BOTH if understood else UNKNOWN
