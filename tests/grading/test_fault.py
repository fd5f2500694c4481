"""Server, client, or both: what two further runs say of a failure."""

from __future__ import annotations

from typing import Any

import pytest

from grading import fault
from grading.model import Record

from .report_models import check, result

PROGRAMS = {"server": ["./s"], "client": ["./c"], "attach": ""}


@pytest.mark.parametrize(
    ("with_our_client", "with_our_server", "expected"),
    [
        ("passed", "failed", fault.CLIENT),
        ("failed", "passed", fault.SERVER),
        ("failed", "failed", fault.BOTH),
        ("passed", "passed", fault.TOGETHER),
        ("failed", "waived", fault.BOTH),
    ],
)
def test_verdicts(with_our_client: str, with_our_server: str, expected: str) -> None:
    login = {"login": "passed"}
    outcomes = ({"it": one} | login for one in (with_our_client, with_our_server))
    assert fault.verdict("it", *outcomes) == expected


def test_without_a_common_language_nothing_is_said() -> None:
    nothing = {"it": "failed", "login": "failed"}
    assert fault.verdict("it", nothing, nothing) == fault.UNKNOWN
    assert fault.verdict("it", nothing | {"login": "passed"}, nothing) == fault.UNKNOWN


def found(chosen: dict[str, Any]) -> tuple[Record, list[tuple[str, list[str], list[str]]]]:
    """The failed check after the search, and what was run for it."""
    runs: list[tuple[str, list[str], list[str]]] = []

    def again(settings: fault.Settings, only: list[str], name: str) -> list[Record]:
        runs.append((name, settings[2]["server"] + settings[2]["client"], only))
        with_our_client = settings[2].get("reference_client", False)
        outcome = "passed" if with_our_client else "failed"
        return [check("2.9", outcome, id="it"), check("2.1", id="login")]

    failed = check("2.9", "failed", id="it", stage="terminal")
    graded = result([failed, check("2.1", stage="terminal")])
    fault.find(graded.requirements, {2: chosen}, lambda _, side: [f"our {side}"], again)
    return next(c for one in graded.requirements for c in one.checks if c["id"] == "it"), runs


def test_what_failed_is_played_with_each_of_our_programs() -> None:
    failed, runs = found(dict(PROGRAMS))
    assert failed["fault"] == fault.CLIENT
    assert failed["hint"].endswith("look at your client.")
    assert runs == [
        ("our-server-2", ["our server", "./c"], ["2.1", "2.9"]),
        ("our-client-2", ["./s", "our client"], ["2.1", "2.9"]),
    ]


@pytest.mark.parametrize(
    "more", [{"reference_client": True}, {"client": []}, {"attach": "localhost:8080"}]
)
def test_nothing_is_run_where_one_program_is_not_the_submissions(more: dict[str, Any]) -> None:
    failed, runs = found(PROGRAMS | more)
    assert runs == []
    assert "fault" not in failed
