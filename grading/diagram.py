"""The sequence diagram of a check: who said what to whom, and what did not come.

`of_check` turns the events of a record (tests/harness/plugin.py) into columns and steps; the rest
of the file draws them: as text for a terminal, as Mermaid for Markdown, and as a layout in pixels
that templates/diagram.svg fills in.

On the terminal stage an arrow stands for what was typed into a client, and for what appeared on
its screen; the bytes in between are seen only where a relay stood between client and server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .dissect import Frame, dissect
from .model import Record
from .text import one_line

SERVER = "server"
NORMAL, MISSING, FORBIDDEN, ENDED = "", "missing", "forbidden", "ended"
MOST_STEPS = 40
"""Steps that are drawn; the first ones are left out beyond that."""
LABEL = 400
"""Characters of a step's text that are kept."""
_QUOTED = re.compile(r"`([^`]*)`")


@dataclass
class Step:
    """An arrow between two columns, or (source == target) a note at one."""

    source: str
    target: str
    text: str
    mark: str = NORMAL
    frames: list[Frame] = field(default_factory=list)
    by_submission: bool = False
    """The submission's own programs made these frames, not the harness."""

    @property
    def is_note(self) -> bool:
        """True for what happens at one column."""
        return self.source == self.target

    @property
    def label(self) -> str:
        """The text, with the word for its mark: colour alone tells not everybody."""
        word = self.mark if self.mark in (MISSING, FORBIDDEN) else ""
        if word and self.is_note:
            word = "broken promise"
        return one_line(f"{word}: {self.text}" if word else self.text, LABEL)

    @property
    def sentence(self) -> str:
        """The step in words, for who cannot see the picture."""
        if self.is_note:
            return f"{self.source}: {self.label}"
        return f"{self.source} to {self.target}: {self.label}"


@dataclass
class Diagram:
    """Columns from left to right, steps from top to bottom."""

    title: str
    columns: list[str]
    steps: list[Step]
    left_out: int = 0
    """Steps at the beginning that are not shown."""

    @property
    def description(self) -> str:
        """The whole of it in words."""
        return "; ".join(step.sentence for step in self.steps)[:6000]

    @property
    def dissected(self) -> list[tuple[int, Step]]:
        """The steps whose bytes can be read as frames, with their numbers."""
        return [(n, step) for n, step in enumerate(self.steps, 1) if step.frames]

    @property
    def oddities(self) -> list[str]:
        """What is odd about the frames of the submission's own programs, each told once."""
        found: dict[str, None] = {}
        for _, step in self.dissected:
            if step.by_submission:
                for frame in step.frames:
                    for hint in frame.hints:
                        found[f"{frame.name} from {step.source}: {hint}"] = None
        return list(found)[:12]


def of_check(check: Record) -> Diagram | None:
    """The diagram of a check; None when nothing is known of what happened in it."""
    if not check.get("events"):
        return None
    story = _Story(check)
    for event in check["events"]:
        story.tell(event)
    story.mark_failure()
    story.dissect()
    left_out = max(0, len(story.steps) - MOST_STEPS)
    return Diagram(str(check["promise"]), story.columns, story.steps[left_out:], left_out)


class _Story:
    """Collects the steps of one check."""

    def __init__(self, check: Record) -> None:
        self.check = check
        self.steps: list[Step] = []
        self._bytes: dict[int, tuple[bytes, int, int]] = {}  # step -> data, size, pieces
        self._open: dict[tuple[str, str], int] = {}  # a stream's last, unfinished step
        events = check["events"]
        self._frames = any("frame" in event for event in events)
        self.columns = _columns(events)
        on_screen = {e["actor"] for e in events if e["kind"] in ("types", "shows")}
        on_wire = {e["actor"] for e in events if e["kind"] in ("sends", "gets")}
        self._relayed = on_screen & on_wire

    def tell(self, event: Record) -> None:
        """Add what this event makes of the picture."""
        kind, actor, text = str(event["kind"]), str(event["actor"]), str(event["text"])
        if actor not in self.columns:
            self._add(Step(SERVER, SERVER, f"{actor} {text}"))
        elif kind in ("sends", "gets"):
            self._moves(event)
        elif kind == "types":
            self._replace_deed(actor)
            self._speaks(actor, SERVER, text, actor)
        elif kind == "shows":
            if actor != SERVER:
                self._speaks(SERVER, actor, text, actor)
        elif kind == "ends":
            clean = "ended by the grader" in text or text.endswith("status 0")
            self._add(Step(actor, actor, text, NORMAL if clean else ENDED))
        elif not text.startswith(f"the {actor} is started") or actor == SERVER:
            self._add(Step(actor, actor, text))

    def _add(self, step: Step) -> None:
        self.steps.append(step)

    def _replace_deed(self, actor: str) -> None:
        # "alice types `/who`" is said by the arrow that follows.
        last = self.steps[-1] if self.steps else None
        said = ("types ", "sends the line ")
        if last and last.is_note and last.source == actor and last.text.startswith(said):
            self.steps.pop()

    def _speaks(self, source: str, target: str, text: str, actor: str) -> None:
        if not text.strip():
            return
        if actor in self._relayed:
            what = "types" if source == actor else "is shown"
            self._add(Step(actor, actor, f"{what} `{text.strip()}`"))
            return
        last = self.steps[-1] if self.steps else None
        if last and source == SERVER and (last.source, last.target) == (source, target):
            last.text = f"{last.text}\n{text.strip()}"
        else:
            self._add(Step(source, target, text.strip()))

    def _moves(self, event: Record) -> None:
        """Bytes: what completes a frame that was cut joins the step in which it began."""
        actor, peer = str(event["actor"]), str(event.get("peer") or SERVER)
        if peer not in self.columns:
            peer = SERVER
        source, target = (actor, peer) if event["kind"] == "sends" else (peer, actor)
        data, size = bytes.fromhex(event.get("data", "")), int(event.get("size", 0))
        pieces = int(event.get("pieces", 1))
        begun = self._open.get((source, target))
        if begun is not None:
            before, before_size, before_pieces = self._bytes[begun]
            if len(before) == before_size:
                before += data
            self._bytes[begun] = (before, before_size + size, before_pieces + pieces)
        else:
            if event["kind"] == "sends":
                self._replace_deed(actor)
            begun = len(self.steps)
            self._add(Step(source, target, str(event["text"])))
            relayed = actor in self._relayed
            self.steps[begun].by_submission = relayed or event["kind"] == "gets"
            self._bytes[begun] = (data, size, pieces)
        data, size, _ = self._bytes[begun]
        if self._frames and data and not dissect(data, size)[-1].whole:
            self._open[source, target] = begun
        else:
            self._open.pop((source, target), None)

    def dissect(self) -> None:
        """Read the bytes of all steps as frames, where this milestone has frames."""
        for number, (data, size, pieces) in self._bytes.items():
            step = self.steps[number]
            step.text = step.text or f"{size} bytes"
            if self._frames:
                step.frames = dissect(data, size)
                step.text = ", ".join(frame.summary for frame in step.frames)
            if pieces > 1:
                step.text += f" (in {pieces} pieces)"

    def mark_failure(self) -> None:
        """Show in red what did not come, or what must not have come."""
        kind, expected = self.check.get("kind"), str(self.check.get("expected", ""))
        if self.check.get("outcome") != "failed" or not expected:
            return
        who = self._named_in(expected)
        if kind == "forbidden" and self._mark_what_came(who, expected):
            return
        mark = FORBIDDEN if kind == "forbidden" else MISSING
        text = expected
        if mark == FORBIDDEN:
            text = f"{expected}. {self.check.get('came', '')}"
        source = who if who == SERVER else SERVER
        self._add(Step(source, who, text, mark))

    def _mark_what_came(self, who: str, expected: str) -> bool:
        tokens = [token for token in _QUOTED.findall(expected) if token]
        for step in reversed(self.steps):
            if step.mark == ENDED and step.source == who:
                step.mark, step.text = FORBIDDEN, f"{step.text} ({expected})"
                return True
            if step.target == who and any(token in step.text for token in tokens):
                step.mark = FORBIDDEN
                return True
        return False

    def _named_in(self, sentence: str) -> str:
        """The column that a sentence speaks of: the actor named first, else the server."""
        words: list[str] = re.findall(r"\w+", _QUOTED.sub("", sentence))
        for word in words:
            if word in self.columns and word != SERVER:
                return word
        if "client" in words:
            ended = [step.source for step in self.steps if step.mark == ENDED]
            return next((one for one in ended if one != SERVER), self.columns[0])
        return SERVER


def _columns(events: list[Record]) -> list[str]:
    """Everybody who says or is told something, in the order of their coming; the server second."""
    busy = {event["actor"] for event in events if event["kind"] != "does"}
    names: list[str] = []
    for event in events:
        name = str(event["actor"])
        if name != SERVER and name in busy and name not in names:
            names.append(name)
    names.insert(1, SERVER)
    return names


# -- as text ----------------------------------------------------------------------------------

TEXT_COLUMN = 14
"""Characters from one lifeline to the next."""
TEXT_WIDTH = 110


def as_text(diagram: Diagram, width: int = TEXT_WIDTH) -> list[str]:
    """Lines for a terminal: lifelines, arrows, and what was said behind them."""
    return [line for line, _ in marked_lines(diagram, width)]


def marked_lines(diagram: Diagram, width: int = TEXT_WIDTH) -> list[tuple[str, str]]:
    """The same lines, each with the mark of its step."""
    places = {name: 4 + i * TEXT_COLUMN for i, name in enumerate(diagram.columns)}
    end = max(places.values()) + 5
    head = " " * end
    for name, at in places.items():
        shown = one_line(name, TEXT_COLUMN - 2)
        start = max(0, at - len(shown) // 2)
        head = head[:start] + shown + head[start + len(shown) :]
    lines = [(head.rstrip(), NORMAL)]
    if diagram.left_out:
        lines.append((f"{'':{end}}({diagram.left_out} steps before)", NORMAL))
    for step in diagram.steps:
        line = _lifelines(places, end)
        a, b = places[step.source], places[step.target]
        if step.is_note:
            line[a] = "X" if step.mark else "*"
        else:
            for at in range(min(a, b) + 1, max(a, b)):
                line[at] = "-" if step.mark != MISSING or at % 2 else " "
            tip = ">" if a < b else "<"
            line[b - 1 if a < b else b + 1] = "X" if step.mark == MISSING else tip
        said = step.label
        if step.is_note and not said.startswith(("the ", "broken")):
            said = f"{step.source} {said}"
        lines.append(("".join(line) + one_line(said, max(20, width - end)), step.mark))
    return lines


def _lifelines(places: dict[str, int], end: int) -> list[str]:
    return ["|" if at in places.values() else " " for at in range(end)]


# -- as Mermaid -------------------------------------------------------------------------------


def as_mermaid(diagram: Diagram) -> str:
    """A `sequenceDiagram`, to be put into a fenced block of GitHub-flavoured Markdown."""
    ids = {name: f"p{i}" for i, name in enumerate(diagram.columns)}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {ids[name]} as {_mermaid(name, 40)}" for name in diagram.columns]
    if diagram.left_out:
        lines.append(f"    Note over {ids[diagram.columns[0]]}: {diagram.left_out} steps before")
    for step in diagram.steps:
        source, target = ids[step.source], ids[step.target]
        said = _mermaid(step.label, 90)
        if step.is_note:
            line = f"Note over {source}: {said}"
        else:
            line = f"{source}{'--x' if step.mark == MISSING else '->>'}{target}: {said}"
        red = step.mark in (MISSING, FORBIDDEN)
        lines += ["    rect rgba(220, 50, 47, 0.25)"] if red else []
        lines.append(f"    {line}")
        lines += ["    end"] if red else []
    return "\n".join(lines)


def _mermaid(text: str, limit: int) -> str:
    """Text with Mermaid's own entities for all but letters, digits and harmless marks: nothing
    in it can end the line, the block, or begin HTML."""
    safe = one_line(text, limit)
    return "".join(c if c.isalnum() or c in " .,/_-()'=!?+*" else f"#{ord(c)};" for c in safe)


# -- as a picture -----------------------------------------------------------------------------

CHARACTER = 7.3
"""Width in pixels of a character of the labels."""
ROW, NOTE_ROW = 38, 34
TOP, EDGE = 34, 110


@dataclass
class Row:
    """One step with its place in the picture, in pixels."""

    number: int
    step: Step
    y: int
    x1: float
    x2: float
    label: str
    label_x: float
    width: float


@dataclass
class Layout:
    """What templates/diagram.svg draws."""

    diagram: Diagram
    width: int
    height: int
    heads: list[tuple[str, float]]
    rows: list[Row]


def layout(diagram: Diagram) -> Layout:
    """Find a place for everything."""
    gap = {1: 420, 2: 420, 3: 290, 4: 230}.get(len(diagram.columns), 200)
    places = {name: EDGE + i * gap for i, name in enumerate(diagram.columns)}
    width = 2 * EDGE + gap * (len(places) - 1)
    y = TOP + (22 if diagram.left_out else 0)
    rows = []
    for row in _rows(diagram, places, gap, width):
        y += NOTE_ROW if row.step.is_note else ROW
        row.y = y
        rows.append(row)
    heads = [(one_line(name, 16), float(x)) for name, x in places.items()]
    return Layout(diagram, width, y + 28, heads, rows)


def _rows(diagram: Diagram, places: dict[str, int], gap: int, width: int) -> Iterator[Row]:
    for number, step in enumerate(diagram.steps, 1):
        x1, x2 = places[step.source], places[step.target]
        room = gap + 60 if step.is_note else abs(x1 - x2) - 22
        label = one_line(step.label, int(room / CHARACTER))
        box = min(room + 10, len(label) * CHARACTER + 16)
        # A long note at the first or last column stays inside of the picture.
        middle = min(max((x1 + x2) / 2, box / 2 + 4), width - box / 2 - 4)
        yield Row(number, step, 0, x1, x2, label, middle, box)
