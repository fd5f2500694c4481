"""Sequence diagrams: what becomes an arrow, what is red; as text, as Mermaid, as a picture."""

from __future__ import annotations

import re

import pytest

from common.framing import Message, MessageType, encode
from grading import diagram
from grading.diagram import ENDED, FORBIDDEN, MISSING, Diagram, of_check
from grading.model import Record

from . import report_models as models
from .report_models import check, event


def failed(*events: Record, **more: object) -> Diagram:
    """The diagram of a failed check in which this happened."""
    drawn = of_check(check("2.9", "failed") | {"events": list(events)} | more)
    assert drawn is not None
    return drawn


def said(drawn: Diagram) -> list[tuple[str, str, str]]:
    """Source, target and label of every step."""
    return [(step.source, step.target, step.label) for step in drawn.steps]


MESSAGE = encode(Message(MessageType.UNICAST_SEND, "alice", "bob", b"hello"))


def test_a_check_without_events_has_no_diagram() -> None:
    assert of_check(check("2.9")) is None


def test_what_is_typed_and_shown_are_arrows() -> None:
    drawn = failed(
        event("alice", "does", "starts the client"),
        event("alice", "does", "types `/msg bob hi`"),
        event("alice", "types", "/msg bob hi"),
        event("bob", "shows", "[alice] hi\n"),
        event("server", "shows", "some log"),
    )
    assert drawn.columns == ["alice", "server", "bob"]
    assert said(drawn)[:3] == [
        ("alice", "alice", "starts the client"),
        ("alice", "server", "/msg bob hi"),
        ("server", "bob", "[alice] hi"),
    ]


def test_the_missing_one_is_an_arrow_to_who_waits_for_it() -> None:
    last = failed(event("alice", "types", "x"), event("bob", "shows", "y")).steps[-1]
    assert (last.source, last.target, last.mark) == ("server", "bob", MISSING)
    assert last.label == "missing: bob is shown `tkn`"


def test_the_forbidden_one_is_marked_where_it_came() -> None:
    drawn = failed(
        event("carol", "shows", "[alice] tkn"),
        event("alice", "shows", "tkn"),
        kind="forbidden",
        expected="carol is shown nothing of `tkn`",
    )
    assert [step.mark for step in drawn.steps] == [FORBIDDEN, ""]


def test_a_crash_is_marked_where_it_happened() -> None:
    drawn = failed(
        event("alice", "types", "x"),
        event("server", "ends", "was killed by SIGSEGV"),
        event("alice", "ends", "exited with status 0"),
        kind="forbidden",
        expected="the server survives an unknown type",
    )
    assert [step.mark for step in drawn.steps] == ["", FORBIDDEN, ""]
    assert "SIGSEGV" in drawn.steps[1].label


def test_an_end_that_is_no_fault_is_not_marked() -> None:
    ends = ["exited with status 0", "was ended by the grader: over", "exited with status 1"]
    drawn = failed(*(event("alice", "ends", text) for text in ends))
    assert [step.mark for step in drawn.steps[:3]] == ["", "", ENDED]


def test_a_frame_in_pieces_is_one_arrow() -> None:
    drawn = failed(
        event("alice", "sends", "", MESSAGE[:100]),
        event("bob", "shows", "something else"),
        event("alice", "sends", "", MESSAGE[100:266], frame={}),
        event("alice", "sends", "", MESSAGE[266:]),
        event("alice", "sends", "", MESSAGE),
    )
    arrows = [step.label for step in drawn.steps if step.source == "alice"]
    assert arrows == ["UNICAST_SEND hello (in 3 pieces)", "UNICAST_SEND hello"]


def test_only_frames_of_the_submission_are_found_odd() -> None:
    ours = failed(event("alice", "sends", "", models.swapped_frame()))
    theirs = failed(event("alice", "gets", "", models.swapped_frame()))
    relayed = failed(
        event("alice", "types", "x"), event("alice", "sends", "", models.swapped_frame())
    )
    assert ours.oddities == []
    assert "83886080 is 5" in theirs.oddities[0]
    assert "83886080 is 5" in relayed.oddities[0]


def test_the_first_steps_are_left_out_of_a_long_play() -> None:
    events = [event("alice", "types", f"line {n}") for n in range(100)]
    drawn = failed(*events)
    assert len(drawn.steps) == diagram.MOST_STEPS
    assert drawn.left_out == 101 - diagram.MOST_STEPS
    assert drawn.steps[-2].text == "line 99"


def test_as_text() -> None:
    drawn = failed(
        event("alice", "does", "connects"),
        event("alice", "types", "/msg bob hi"),
        event("bob", "shows", "[alice] hi"),
    )
    assert diagram.as_text(drawn) == [
        "  alice        server          bob",
        "    *             |             |    alice connects",
        "    |------------>|             |    /msg bob hi",
        "    |             |------------>|    [alice] hi",
        "    |             |- - - - - - X|    missing: bob is shown `tkn`",
    ]


LINES = re.compile(
    r"sequenceDiagram|"
    r" {4}(participant p\d+ as (SAFE)+|"
    r"p\d+(->>|--x)p\d+: (SAFE)*|"
    r"Note over p\d+: (SAFE)*|"
    r"rect rgba\(220, 50, 47, 0.25\)|"
    r"end)".replace("SAFE", r"#\d+;|[\w .,/()'=!?+*-]")
)


@pytest.mark.parametrize("text", ["/msg bob hi", "end", "a; b: c", models.HOSTILE, "```\n%%{init}"])
def test_mermaid_lines_hold_nothing_but_text(text: str) -> None:
    drawn = failed(
        event("alice", "does", text), event("alice", "types", text), event(text, "shows", text)
    )
    lines = diagram.as_mermaid(drawn).splitlines()
    assert [line for line in lines if not LINES.fullmatch(line)] == []
    assert lines.count("    end") == 1


def test_the_picture_keeps_everything_inside() -> None:
    drawn = failed(
        event("alice", "does", "x" * 300),
        event("alice", "types", "y" * 300),
        event("bob", "shows", "z" * 300),
    )
    layout = diagram.layout(drawn)
    for row in layout.rows:
        assert 0 <= row.label_x - row.width / 2 <= row.label_x + row.width / 2 <= layout.width
        assert len(row.label) * diagram.CHARACTER <= row.width
        assert 0 < row.y < layout.height
