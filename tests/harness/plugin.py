"""What pytest sees of the harness: options, the fixtures, outcomes handed to the grader.

Every finished check becomes one record (a dict of plain values), written as one line of JSON to
the file named by --grade-results as soon as it is known. Points are no matter of this file.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import forms, kernel, screen
from .chat import Chat
from .failures import CheckFailure, Waived
from .play import Event, SendForm, Session
from .settings import Settings
from .wire import describe

_PLAY = pytest.StashKey[Chat]()
_SESSION = pytest.StashKey[Session]()
_DIRECTORY = re.compile(r"milestone(\d)$")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grade", "grading a submission")
    group.addoption("--grade-settings", metavar="FILE", help="JSON: what is graded (settings.py)")
    group.addoption("--grade-results", metavar="FILE", help="write a line of JSON for each check")
    group.addoption(
        "--list-requirements", action="store_true", help="print the ids of what is collected"
    )
    group.addoption("--stage", choices=("wire", "terminal"), help="only the checks of this stage")
    group.addoption(
        "--only",
        metavar="ID[/CHECK][:1]",
        action="append",
        default=[],
        help="only the checks of this requirement, e.g. 2.9, or one of them, e.g. "
        "2.5/test_who_lists_everybody; with `:1` the first of them; may be given several times",
    )
    group.addoption(
        "--until-failed",
        action="store_true",
        help="make no more checks of a requirement when one has failed",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids, stages): what a check grades")
    config.stash[_SESSION] = Session()
    kernel.adopt_orphans()
    path = config.getoption("--grade-results")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ResultsFile(path))


# -- which checks, on which stages ------------------------------------------------------------


def _milestone_of(path: Path) -> int:
    match = _DIRECTORY.match(path.parent.name)
    return int(match[1]) if match else 0


def requirement_ids(definition: Any) -> list[str]:
    """The ids that a check grades, N replaced by its milestone."""
    mark = definition.get_closest_marker("requirement")
    if mark is None:
        return []
    milestone = _milestone_of(definition.path)
    return [str(one).replace("N.", f"{milestone}.") for one in mark.args]


def selectors(item: Any) -> set[str]:
    """What --only may say to choose this check: its requirements, each alone or with its name."""
    ids = requirement_ids(item)
    return {*ids, *(f"{one}/{item.originalname}" for one in ids)}


def chosen(items: Iterable[Any], only: set[str]) -> Iterator[Any]:
    """The checks that --only chooses."""
    firsts = {one.removesuffix(":1") for one in only if one.endswith(":1")}
    for item in items:
        if not only.isdisjoint(selectors(item)):
            yield item
        elif item.get_closest_marker("skip") is None and (found := firsts & selectors(item)):
            firsts -= found
            yield item


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("requirement")
    if mark is not None and "stage" in metafunc.fixturenames:
        only = metafunc.config.getoption("--stage")
        stages = [stage for stage in mark.kwargs["stages"] if only in (None, stage)]
        elsewhere = pytest.mark.skip(
            reason=f"it has no check on the stage that was chosen ({only})"
        )
        metafunc.parametrize(
            "stage", stages or [pytest.param(only, marks=elsewhere)], indirect=True
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only = set(config.getoption("--only"))
    if only:
        kept = list(chosen(items, only))
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    if not config.getoption("--list-requirements"):
        return []
    ids = {one for item in items for one in requirement_ids(item)}
    return [f"requirement {one}" for one in sorted(ids)]


# -- the stage --------------------------------------------------------------------------------


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> str:
    """`wire` or `terminal`."""
    return str(getattr(request, "param", "terminal"))


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """The programs under test: those of the command line, else our own milestone."""
    path = request.config.getoption("--grade-settings")
    milestone = _milestone_of(request.path)
    if path:
        return Settings.load(path, milestone)
    return Settings.reference(milestone)


@pytest.fixture
def new_play(request: pytest.FixtureRequest, settings: Settings, stage: str) -> Callable[[], Chat]:
    """Makes plays for this check, each on an empty stage of its own."""

    def make() -> Chat:
        workdir = Path(tempfile.mkdtemp(prefix="play-"))
        seed = f"{settings.seed}:{request.node.name}"
        return Chat(settings, request.config.stash[_SESSION], stage, workdir, seed)

    return make


@pytest.fixture
def bare(request: pytest.FixtureRequest, new_play: Callable[[], Chat]) -> Iterator[Chat]:
    """A play in which the server has not been started."""
    with new_play() as chat:
        request.node.stash[_PLAY] = chat
        yield chat


@pytest.fixture
def chat(bare: Chat) -> Chat:
    """A play with the server under test listening."""
    bare.attach_server()
    return bare


@pytest.fixture
def leaving(request: pytest.FixtureRequest, new_play: Callable[[], Chat], stage: str) -> str:
    """How to leave a room: `/quit {room}` or `/quit`. Ask for it before `chat`."""
    session = request.config.stash[_SESSION]
    if stage == "wire":
        return forms.QUIT_FORMS[0]
    session.quit_form = session.quit_form or forms.find_quit_form(new_play)
    return session.quit_form


@pytest.fixture
def sending(request: pytest.FixtureRequest, new_play: Callable[[], Chat]) -> SendForm:
    """How to send a file, and to say yes and no. Ask for it before `chat`."""
    session = request.config.stash[_SESSION]
    session.send_form = session.send_form or forms.find_send_form(new_play)
    return session.send_form


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """After a check that went well: look once more for what must not have come."""
    result = yield
    play = pyfuncitem.stash.get(_PLAY, None)
    if play is not None:
        play.finish()
    return result


# -- outcomes ---------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out the checks of a requirement that has failed already, with --until-failed."""
    ids = requirement_ids(item)
    if ids and item.config.getoption("--until-failed"):
        lost = item.config.stash[_SESSION].lost
        if lost.issuperset(ids):
            pytest.skip(f"{' and '.join(ids)} has failed already")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    ids = requirement_ids(item)
    if not ids or call.when == "teardown":
        return report
    if call.when == "setup" and call.excinfo is None:
        return report
    record = _record(item, ids, report, call)
    session = item.config.stash[_SESSION]
    session.passed += record["outcome"] == "passed"
    session.failed += record["outcome"] == "failed"
    if record["outcome"] == "failed":
        session.lost.update(ids)
    if record["outcome"] == "waived":
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Skipped: {record['came']}")
    elif record["outcome"] == "failed":
        report.longrepr = in_words(record)
    report.check = record  # type: ignore[attr-defined]
    return report


def _record(
    item: pytest.Item, ids: list[str], report: pytest.TestReport, call: pytest.CallInfo[None]
) -> dict[str, Any]:
    play = item.stash.get(_PLAY, None)
    callspec = getattr(item, "callspec", None)
    params = dict(callspec.params) if callspec else {}
    stage = str(params.pop("stage", "terminal"))
    case = re.sub(rf"(^|-){stage}(-|$)", r"\1", callspec.id if callspec else "").strip("-")
    record: dict[str, Any] = {
        "id": item.nodeid,
        "check": getattr(item, "originalname", item.name),
        "case": case if params else "",
        "stage": stage,
        "requirements": ids,
        "promise": " ".join((getattr(item, "obj", None).__doc__ or "").split()),
        "outcome": "passed",
        "kind": "",
        "rests_on": [],
        "expected": "",
        "came": "",
        "hint": "",
        "seconds": round(call.duration, 3),
        "story": list(play.story) if play else [],
    }
    if call.excinfo is not None:
        record |= _failure(call.excinfo.value, report)
        record |= _evidence(play) if play else {}
    return record


def _failure(error: BaseException, report: pytest.TestReport) -> dict[str, Any]:
    if isinstance(error, CheckFailure):
        return {
            "outcome": "failed",
            "kind": error.kind,
            "rests_on": list(error.rests_on),
            "expected": error.expected,
            "came": error.came,
            "hint": error.hint,
        }
    if isinstance(error, (Waived, pytest.skip.Exception)):
        return {"outcome": "waived", "came": str(error)}
    return {"outcome": "error", "kind": "grader", "came": str(report.longrepr)[-4000:]}


def _evidence(play: Chat) -> dict[str, Any]:
    for _ in range(3):
        play.pump(0)
    play.note_ends()
    play.note_rest()
    programs = {
        program.name: {
            "command": " ".join(program.argv),
            "end": program.end_in_words,
            "output": screen.printable(program.output.since(0), 6000),
            "bytes": program.output.total,
        }
        for program in play.programs
    }
    return {
        "transcripts": {
            actor.name: screen.shorten_middle(actor.transcript(), 4000)
            for actor in play.actors
            if actor.arrived
        },
        "programs": programs,
        "events": [_event(event, play.settings.milestone) for event in play.events[-200:]],
    }


def _event(event: Event, milestone: int) -> dict[str, Any]:
    text = event.text or screen.printable(event.data, 300)
    row = {"at": round(event.at, 4), "actor": event.actor, "kind": event.kind, "text": text}
    if event.data:
        row |= {"size": event.size, "pieces": event.pieces, "data": event.data.hex()}
        row |= {"peer": event.peer}
        if 2 <= milestone <= 4 and (frame := describe(event.data)):
            row["frame"] = frame
    return row


def in_words(record: dict[str, Any]) -> str:
    """The failure text: promise, what was done, what was expected, what came, transcripts."""
    lines = [f"{'/'.join(record['requirements'])} on the {record['stage']}: {record['promise']}"]
    lines.append("What was done:")
    lines += [f"  {number}. {step}" for number, step in enumerate(record["story"], 1)]
    lines.append(f"Expected: {record['expected']}.")
    lines.append(f"Came:     {record['came'] or 'nothing.'}")
    if record["hint"]:
        lines.append(f"Hint:     {record['hint']}")
    for name, text in record.get("transcripts", {}).items():
        lines.append(f"What {name} was shown:")
        lines += [f"  | {line}" for line in text.strip().splitlines()[-15:]]
    server = record.get("programs", {}).get("server")
    if server:
        lines.append(f"The server {server['end']}; its last lines:")
        lines += [f"  | {line}" for line in server["output"].strip().splitlines()[-8:]]
    return "\n".join(lines)


class ResultsFile:
    """Writes the records, in the process that collects the reports of all workers."""

    def __init__(self, path: str) -> None:
        self._path = path

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say how many records there will be."""
        self._write({"collected": len(session.items)})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """The same, when workers collect."""
        self._write({"collected": len(ids)})

    def _write(self, row: dict[str, Any]) -> None:
        with open(self._path, "a") as file:
            file.write(json.dumps(row) + "\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One line for each check that has ended."""
        record = getattr(report, "check", None)
        if record is not None:
            self._write(record)
