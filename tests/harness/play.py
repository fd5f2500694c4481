"""One play: a server, its actors, and waiting that depends on nobody's speed.

Two ways of waiting, and no third:

`wait_for(condition)` ends as soon as the condition holds, so a right answer costs no time. A miss
is one only when the deadline has passed *and* the programs are at rest; a machine that has not
let them run yet extends the deadline, up to PATIENCE times.

`settle()` is the fence: it returns when every task of every program sleeps, has spent no CPU time
between two looks, and no queue holds a byte (kernel.py says why that proves absence). Programs
that never rest (a busy loop), or that leave bytes unread for good (blocked elsewhere), are let
through when nothing has changed for CALM seconds in which they did get the processor.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from . import kernel, screen
from .failures import CheckFailure, Forbidden, NotReady, Waived
from .process import BY_THE_CHECK, CannotStart, Program, environment, sweep
from .proxy import Proxy
from .settings import Settings, fill

if TYPE_CHECKING:
    from .actor import Actor

ANSWER = 2.0
"""Seconds in which an answer is due when the programs are at rest."""
START = 8.0
"""Seconds in which a server must listen when it is at rest (some sleep first)."""
CALM = 0.2
"""Seconds without any change after which a program that does not rest is let through."""
BUSY = 50_000_000
"""Nanoseconds of CPU time without any effect that make a busy loop."""
HASHING = 500_000_000
"""The same in milestone 5, where the hash of a password may take so long by design; until a
program of the play has spent it: that one is busy with nothing."""
HOPELESS = 12
"""Failed checks, with none passed, after which this worker no longer waits for the full ANSWER."""
PATIENCE = 10
"""How many times a deadline is extended while the programs are not at rest."""
BUDGET = 60.0
"""Seconds that all waits of one check may take together; below pytest-timeout's limit."""
KEPT_BYTES = 1024
"""Bytes of what was sent or received in one go that an event keeps."""
FILE_LIMIT = 512 * 1024 * 1024
"""Bytes that a program may write into one file."""
LOOPBACK = "127.0.0.1"
CONSONANTS = "bcdfghjkmpqrstvwxz"
"""Letters of a token: no vowels, so that it is part of no word or name; no N or Y, which some
programs take for an answer."""


P = TypeVar("P", bound="Play")


class Source(Protocol):
    """Something with descriptors that the play serves while it waits."""

    def descriptors(self) -> dict[int, int]:
        """Descriptor -> the poll(2) events it waits for."""

    def on_ready(self, fd: int) -> bool:
        """Take or give what is possible; True when anything moved."""

    def close(self) -> None:
        """Free everything."""


@dataclass
class Event:
    """One thing that happened, for transcripts and sequence diagrams."""

    at: float  # seconds since the play began
    actor: str
    kind: str  # types, sends, gets, shows, does, ends
    text: str
    data: bytes = b""  # of sends and gets: the first KEPT_BYTES of them
    size: int = 0  # how many bytes there were
    pieces: int = 0  # how many times the socket took or gave some
    peer: str = ""  # whom they went to or came from


@dataclass(frozen=True)
class SendForm:
    """The course leaves open whether a path is quoted, and what yes and no are called."""

    quoted: bool = False
    yes: str = "Y"
    no: str = "N"

    def command(self, receiver: str, path: str) -> str:
        """The line that sends the file at `path`."""
        return f'/send {receiver} "{path}"' if self.quoted else f"/send {receiver} {path}"


@dataclass
class Session:
    """What one worker has learned about the submission so far."""

    passed: int = 0
    failed: int = 0
    lost: set[str] = field(default_factory=set)
    """Requirements of which a check has failed."""
    client_form: int = 0
    """Which of Settings.client_forms connects."""
    deaf_server: str = ""
    """Why it is no use to wait for the server again: it never listened, though at rest."""
    mute_logins: dict[str, int] = field(default_factory=dict)
    """Stage -> how many logins of milestone 5 had no answer at all; -1: the server does answer."""
    quit_form: str = ""
    """How this client leaves a room (forms.py); empty: not tried yet."""
    send_form: SendForm | None = None
    """How this client sends a file and takes a yes (forms.py)."""

    @property
    def hopeless(self) -> bool:
        """True for a program that has kept no promise at all so far: it is not waited for as
        long as others, and the wrong half of a class does not take all night."""
        return not self.passed and self.failed >= HOPELESS


class Play:
    """The stage of one check. A context manager: leaving it ends every process."""

    def __init__(
        self, settings: Settings, session: Session, stage: str, workdir: Path, seed: str
    ) -> None:
        self.settings = settings
        self.session = session
        self.stage = stage
        self.workdir = workdir
        self.random = random.Random(seed)
        self.server: Program | None = None
        self.host = LOOPBACK
        self.port = 0
        self.actors: list[Actor] = []
        self.story: list[str] = []
        self.events: list[Event] = []
        self.unread_ports: set[int] = set()
        self.bytes_sent = 0  # by actors on the wire
        self.last_action = "the play began"
        self.left_behind: list[int] = []
        self.programs: list[Program] = []
        self._ended: dict[Program, str] = {}  # and after which deed
        self._sources: list[Source] = []
        self._absences: list[tuple[Actor, str, str]] = []
        self._began = time.monotonic()
        self._waited = 0.0
        self._busy = HASHING if settings.milestone == 5 else BUSY
        self._limits_looked_at = 0.0
        self._homes = 0

    def __enter__(self: P) -> P:
        self._spared = kernel.family({os.getpid()})
        self.isolated = not self.settings.attach and kernel.own_network()
        self._fence = kernel.TerminalFence()
        return self

    def __exit__(self, *_: object) -> None:
        for source in self._sources:
            source.close()
        for program in self.programs:
            program.end()
        self.left_behind = sweep(self._spared)
        for program in self.programs:
            program.read_output()
            program.close_terminal()
        self._fence.close()
        shutil.rmtree(self.workdir, ignore_errors=True)

    # -- the cast -----------------------------------------------------------------------------

    def token(self) -> str:
        """A fresh random word of 12 letters, to be found again wherever it turns up."""
        return "".join(self.random.choices(CONSONANTS, k=12))

    def start_server(self, command: list[str] | None = None, port: int | None = None) -> Program:
        """Start the server under test and wait until it listens. Raises NotReady."""
        if self.settings.attach:
            raise Waived("the server was started by somebody else (--attach)")
        if not (command or self.settings.server):
            raise NotReady((), "the submission has a server", "No server was found in it.")
        if self.session.deaf_server:
            raise NotReady(("1.2",), "the server listens on its port", self.session.deaf_server)
        self.port = port or self.free_port()
        self.server = self.launch(
            "server",
            fill(command or self.settings.server, self.host, self.port),
        )
        self._wait_until_it_listens(self.server)
        return self.server

    def _wait_until_it_listens(self, server: Program) -> None:
        listening = self.wait_for(
            lambda: bool(server.listening_ports()) or not server.running, START
        )
        ports = server.listening_ports()
        if not ports:
            came = f"It {server.end_in_words} and listens on no port.{self.tail(server)}"
            if not listening:
                self.session.deaf_server = came
            raise NotReady(("1.2",), f"the server listens on port {self.port}", came)
        if self.port not in ports:
            # Requirement 1.2 has its own check; everything else goes on with the port it took.
            self.port = min(ports)

    def attach_server(self) -> None:
        """Use the server that somebody else started, or start the one under test."""
        if self.settings.attach:
            host, _, port = self.settings.attach.rpartition(":")
            self.host, self.port = host.strip("[]") or LOOPBACK, int(port)
            self.story.append(f"the server at {self.settings.attach} is used")
        else:
            self.start_server()

    def launch(self, name: str, argv: list[str], *, term: str = "dumb") -> Program:
        """Start a program with a home and a working directory of its own. Raises NotReady."""
        home, cwd = self._new_home(name)
        try:
            program = Program(
                name, argv, cwd, environment(home, {"TERM": term}), file_limit=FILE_LIMIT
            )
        except CannotStart as error:
            raise NotReady((), f"the {name} can be started", f"{error}.") from None
        self.programs.append(program)
        self.add(ProgramSource(self, program))
        self.did("does", name, f"the {name} is started: {' '.join(map(os.path.basename, argv))}")
        return program

    def _new_home(self, name: str) -> tuple[Path, Path]:
        self._homes += 1
        home = self.workdir / f"{self._homes:02}-{name}"
        work = home / "work"
        if self.settings.source:
            shutil.copytree(self.settings.source, work, symlinks=True)
            work = work / self.settings.folder
        else:
            work.mkdir(parents=True)
        return home, work

    def add(self, source: Source) -> None:
        """Serve this source from now on."""
        self._sources.append(source)

    def free_port(self) -> int:
        """A port that nobody uses: 20000 and up, below the ephemeral range, four apart, since
        real programs also take the next one for files."""
        base = 20000 if self.isolated else 20000 + (os.getpid() % 500) * 20
        for port in range(base, 32000, 4):
            if all(_can_bind(port + offset) for offset in range(2)):
                return port
        raise Waived("no free port between 20000 and 32000 on this machine")

    # -- what happened ------------------------------------------------------------------------

    def did(
        self, kind: str, actor: str, text: str, data: bytes = b"", peer: str = "server"
    ) -> None:
        """Write down one event, with the bytes that it was made of."""
        now = time.monotonic() - self._began
        kept, pieces = data[:KEPT_BYTES], 1 if data else 0
        self.events.append(Event(now, actor, kind, text, kept, len(data), pieces, peer))

    def moved_bytes(self, kind: str, actor: str, data: bytes, peer: str = "server") -> None:
        """Write down that an actor sent or got bytes. What moves next in the same direction, with
        nothing in between, joins the same event: so a flood is one event, too."""
        last = self.events[-1] if self.events else None
        if last is None or (last.kind, last.actor) != (kind, actor):
            self.did(kind, actor, "", data, peer)
            return
        last.data += data[: KEPT_BYTES - len(last.data)]
        last.size += len(data)
        last.pieces += 1

    def acts(self, actor: str, what: str) -> None:
        """Somebody does something: it goes into the story, and every actor's mark is set."""
        self.did("does", actor, what)
        self.last_action = f"{actor} {what}".strip()
        self.story.append(self.last_action)
        for other in self.actors:
            if other.arrived:
                other.mark()

    def expect(self, sentence: str) -> None:
        """Write an expectation into the story."""
        self.story.append(f"-> {sentence}")

    def tail(self, program: Program | None, lines: int = 8) -> str:
        """The last lines that a program printed, as a part of a sentence."""
        if program is None:
            return ""
        printed = screen.printable(program.output.since(0)).strip().splitlines()[-lines:]
        return "\nIts last lines:\n" + "\n".join(f"  {x[:300]}" for x in printed) if printed else ""

    def what_ended(self) -> str:
        """Which program has ended by itself and how, in a sentence; empty when none."""
        for program in self.programs:
            if not program.running and program.ended_because != BY_THE_CHECK:
                who = "The server" if program is self.server else f"{program.name}'s client"
                return f"{who} {program.end_in_words} after {self._end_of(program)}."
        return ""

    def _end_of(self, program: Program) -> str:
        """The last deed before it was seen to have ended."""
        return self._ended.get(program, self.last_action)

    def what_ended_besides(self, program: Program) -> str:
        """As `what_ended`, for the other programs."""
        if self.server is not None and self.server is not program and not self.server.running:
            return f"The server {self.server.end_in_words} after {self._end_of(self.server)}."
        return ""

    # -- waiting ------------------------------------------------------------------------------

    def pump(self, seconds: float) -> bool:
        """Serve all sources, waiting at most `seconds` for the first; True when bytes moved."""
        owners: dict[int, Source] = {}
        poller = select.poll()
        if any(proxy.dribbling for proxy in self._proxies()):
            seconds = min(seconds, 0.001)
        for source in self._sources:
            for fd, events in source.descriptors().items():
                owners[fd] = source
                poller.register(fd, events)
        ready = poller.poll(max(0, int(seconds * 1000)))
        moved = [owners[fd].on_ready(fd) for fd, _ in ready]
        moved += [proxy.tick() for proxy in self._proxies()]
        self._enforce_limits()
        return any(moved)

    def wait_for(self, condition: Callable[[], bool], seconds: float = ANSWER) -> bool:
        """Wait until `condition` holds; False when it does not although everybody has had the
        time and is at rest."""
        if self.session.hopeless:
            seconds /= 4
        began, waited = time.monotonic(), self._waited
        step = 0.001
        while True:
            moved = self.pump(0 if condition() else step)
            if condition():
                return True
            spent = time.monotonic() - began
            out_of_time = waited + spent > BUDGET or spent > PATIENCE * seconds
            if out_of_time or (spent > seconds and self.settle()):
                self._waited = waited + time.monotonic() - began
                return condition()
            step = 0.001 if moved else min(step * 1.5, 0.02)

    def settle(self) -> bool:
        """The fence: wait until nothing is under way. False when the time for it ran out."""
        if not kernel.LINUX or self.settings.attach:
            return self._be_quiet()
        began = anchored = time.monotonic()
        anchor = last = None
        step = 0.001
        while True:
            moved = self.pump(step)
            self._fence.pass_through()
            moved = self.pump(0) or moved
            look = self._look()
            now = time.monotonic()
            if not moved and last and look.restful and look.unmoved_since(last):
                return True
            if moved or last is None or anchor is None or look.queued != last.queued:
                anchor, anchored = look, now
            elif now - anchored > CALM and look.ran_since(anchor, self._busy):
                self._waited += now - began
                self._busy = BUSY
                return True
            if now - began > PATIENCE * ANSWER or self._waited + now - began > BUDGET:
                self._waited += now - began
                return False
            last = look
            step = min(step * 1.5, 0.02)

    def _look(self) -> kernel.Look:
        forks = kernel.forks_so_far()
        pids = set().union(*(p.processes(forks) for p in self.programs if p.running))
        ports = None if self.isolated else self._ports_of_the_play()
        look = kernel.look(pids, ports, self.unread_ports)
        typed = tuple(
            (0, program.pid, 0, unread)
            for program in self.programs
            if program.running and (unread := program.unread_input())
        )
        held = tuple((proxy.port, 0, n, 0) for proxy in self._proxies() if (n := proxy.waiting))
        return kernel.Look(look.tasks, look.queued + typed + held, look.dozing)

    def _proxies(self) -> list[Proxy]:
        return [source for source in self._sources if isinstance(source, Proxy)]

    def _ports_of_the_play(self) -> set[int]:
        ports = {self.port}
        for program in self.programs:
            ports |= program.listening_ports()
        return ports

    def _be_quiet(self) -> bool:
        # Without /proc, or with a server that is not ours: a short quiet period has to do.
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < CALM:
            if self.pump(0.05):
                quiet_since = time.monotonic()
        return True

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if now - self._limits_looked_at < 0.05:
            return
        self._limits_looked_at = now
        for program in self.programs:
            if program.running:
                passed = program.over_limits(self.bytes_sent)
                if passed:
                    program.end(passed)
        self.note_ends()

    def note_ends(self) -> None:
        """Write down which programs have ended since the last look."""
        for program in self.programs:
            if program not in self._ended and not program.running:
                self._ended[program] = self.last_action
                self.did("ends", program.name, program.end_in_words)

    # -- absence ------------------------------------------------------------------------------

    def watch_for(self, actor: Actor, text: str, promise: str) -> None:
        """`actor` must not be shown `text`: now that all is settled, and up to the end."""
        self.settle()
        self._absences.append((actor, text, promise))
        self._search(actor, text, promise)

    def finish(self) -> None:
        """The end of the check: look once more for what must not have come."""
        if self._absences:
            self.settle()
            for actor, text, promise in self._absences:
                self._search(actor, text, promise)

    def _search(self, actor: Actor, text: str, promise: str) -> None:
        if text in actor.text():
            raise Forbidden(promise, f"{actor.name} was shown it: {excerpt(actor.text(), text)}")


class ProgramSource:
    """Reads a program's terminal as it prints."""

    def __init__(self, play: Play, program: Program) -> None:
        self._play = play
        self._program = program

    def descriptors(self) -> dict[int, int]:
        """The terminal, for reading."""
        return {self._program.master: select.POLLIN}

    def on_ready(self, fd: int) -> bool:
        """Take what was printed."""
        program = self._program
        before = program.output.total
        moved = program.read_output()
        if moved:
            text = screen.printable(program.output.since(before), 2000).strip()
            self._play.did("shows", program.name, text)
        return moved

    def close(self) -> None:
        """The terminal is closed by the play, after the program has ended."""


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("", port))
            return True
    return False


def excerpt(text: str, token: str, around: int = 60) -> str:
    """The place where `token` stands in `text`, on one line, for a sentence."""
    at = text.find(token)
    part = text[max(0, at - around) : at + len(token) + around]
    return " ".join(part.split())


__all__ = ["CheckFailure", "Play", "Session"]
