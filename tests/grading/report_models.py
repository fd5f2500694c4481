"""Results made by hand, for the tests of the reports: all went well, much failed, we broke."""

from __future__ import annotations

from typing import Any

from common.framing import Header, Message, MessageType, encode, encode_header
from grading import judge
from grading.model import ERROR, FAILED, PASSED, WAIVED, Record, Result
from grading.rubric import load

HOSTILE = (
    "<script>document.title='broken in'</script><img src=x onerror=alert(1)>]]></desc></svg>"
    "\x00\x1b[31m\x07\u202egnirts\ud800 ``` @everybody | {{7*7}} &amp; '\" </pre>\n"
)


def event(actor: str, kind: str, text: str = "", data: bytes = b"", **more: Any) -> Record:
    """An event as tests/harness/plugin.py writes it."""
    row: Record = {"at": 0.0, "actor": actor, "kind": kind, "text": text}
    if data:
        row |= {"size": len(data), "pieces": 1, "data": data.hex(), "peer": "server"}
        row |= {"frame": {"type": "x"}} if len(data) >= 264 else {}
    return row | more


def swapped_frame() -> bytes:
    """A frame whose pld_len was sent big-endian, as htonl() makes it."""
    header = encode_header(Header(0, "alice", MessageType.UNICAST_SEND, "bob"))
    return (5).to_bytes(4, "big") + header[4:] + b"hello"


def check(requirement: str, outcome: str = PASSED, **more: Any) -> Record:
    """A record of a check of this requirement, with all that a failure brings along."""
    record: Record = {
        "id": f"tests/milestone2/test_it.py::test_{requirement}[wire]",
        "check": load()[requirement].core or "test_a_message_arrives",
        "case": "",
        "stage": "wire",
        "requirements": [requirement],
        "promise": "A message arrives.",
        "outcome": outcome,
        "kind": "",
        "rests_on": [],
        "expected": "",
        "came": "",
        "hint": "",
        "seconds": 0.5,
        "story": ["alice connects", "-> bob is shown `tkn`"],
    }
    if outcome == FAILED:
        record |= failure()
    return record | more


def failure(text: str = "What came: `nothing like it`.") -> Record:
    """What a failed check has beside the rest: the submission printed `text`."""
    return {
        "kind": "missing",
        "expected": "bob is shown `tkn`",
        "came": text,
        "transcripts": {"alice": "", "bob": text},
        "programs": {
            "server": {
                "command": "./server 20000",
                "end": "was killed by SIGSEGV",
                "output": text,
                "bytes": len(text),
            }
        },
        "events": [
            event("server", "does", "the server is started: server 20000"),
            event("alice", "does", "connects"),
            event("alice", "does", "types `/msg bob tkn` (UNICAST_SEND)"),
            event(
                "alice", "sends", "tkn", encode(Message(MessageType.UNICAST_SEND, "", "bob", b"t"))
            ),
            event("bob", "gets", "", swapped_frame()),
            event("bob", "types", text[:300]),
            event("bob", "shows", text[:300]),
            event("server", "ends", "was killed by SIGSEGV"),
        ],
    }


def result(records: list[Record], milestones: tuple[int, ...] = (2,), **more: Any) -> Result:
    """The judged result of these records."""
    rubric = load()
    judged = judge.judge(rubric, milestones, records, {})
    known: dict[str, Any] = {
        "submission": "somewhere",
        "seed": "1",
        "rubric": rubric.digest,
        "grader": "1.0",
        "policy": rubric.combine,
        "started": "2026-11-20T12:00:00+00:00",
        "seconds": 12.5,
        "replay": "python -m grading grade --milestone {milestone}",
    }
    summary = judge.milestone_results(rubric, milestones, judged)
    return Result(milestones=summary, requirements=judged, **(known | more))


def all_ids(*milestones: int) -> list[str]:
    """Every automatic requirement of these milestones."""
    return [one.id for n in milestones for one in load().of(n) if not one.manual]


def full() -> Result:
    """Everything held."""
    return result([check(one) for one in all_ids(2)])


def failing() -> Result:
    """Of two milestones: passed, failed, a share, skipped, waived, our own fault, a bonus."""
    outcomes = {
        "2.1": FAILED,
        "2.9": FAILED,
        "2.A": PASSED,
        "2.12": WAIVED,
        "3.8": FAILED,
        "2.10": FAILED,
    }
    records = [check(one, outcomes.get(one, PASSED)) for one in all_ids(2, 3)]
    records += [check("2.0", FAILED, id=f"share {n}", case=f"place {n}") for n in range(1)]
    records += [check("2.C", ERROR, id="ours", kind="grader", came="Traceback ...")]
    records = [r for r in records if r["requirements"] != ["2.C"] or r["outcome"] == ERROR]
    return result(records, (2, 3), errors=["2.C: grader error"], build="`make` failed:\nno rule\n")


def hostile(size: int = 0) -> Result:
    """A submission that prints what might break a report, `size` characters of it."""
    text = HOSTILE * max(1, size // len(HOSTILE))
    records = [check(one, PASSED) for one in all_ids(2) if one != "2.9"]
    bad = check("2.9", FAILED, **failure(text))
    bad |= {"hint": text, "story": [text], "case": HOSTILE, "promise": "A message arrives."}
    return result([*records, bad], submission=HOSTILE, build=text, errors=[text])


def crashed() -> Result:
    """pytest ran, and the grader failed in every check."""
    records = [check(one, ERROR, kind="grader", came="Traceback ...") for one in all_ids(2)]
    return result(records, errors=["2.0: grader error"])
