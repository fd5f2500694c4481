"""The terminal stage: an actor who types into the client under test.

This is what a human evaluator does, and it decides. The next line is typed only when everything
is at rest, for some programs throw away what was typed early (getpass does).
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from . import screen
from .actor import Actor
from .failures import Missing, NotReady
from .process import BY_THE_CHECK, Program
from .settings import fill

if TYPE_CHECKING:
    from .play import Play


class TerminalUser(Actor):
    """A person before a terminal on which the client under test runs."""

    def __init__(self, play: Play, name: str, *, host: str = "", port: int = 0) -> None:
        super().__init__(play, name)
        self._mark = 0
        self._typed = ""
        self._prompt = ""
        self._host_matters = bool(host)
        self._host = host or play.host
        self._port = port or play.port
        self.program: Program
        self._start_client()

    def _start_client(self) -> None:
        play, session = self.play, self.play.session
        forms = play.settings.client_forms()
        if not forms:
            raise NotReady((), "the submission has a client", "No client was found in it.")
        play.acts(self.name, "starts the client")
        first_try = None
        tried = range(1) if self._host_matters else range(session.client_form, len(forms))
        for index in tried:
            self.program = program = play.launch(
                self.name, fill(forms[index], self._host, self._port)
            )
            self.arrived = True
            play.settle()
            if self._is_connected(program) or self._connects_soon(program):
                session.client_form = max(session.client_form, index)
                return
            first_try = first_try or program
            program.end()
        assert first_try is not None
        raise NotReady(
            ("1.1",),
            f"the client connects to {self._host} port {self._port}",
            f"It {first_try.end_in_words}. {play.what_ended_besides(first_try)}"
            f"{play.tail(first_try)}",
        )

    def _connects_soon(self, program: Program) -> bool:
        self.play.wait_for(lambda: not program.running or self._is_connected(program))
        self.play.settle()  # whoever it has connected to has accepted it
        return self._is_connected(program)

    def _is_connected(self, program: Program) -> bool:
        return any(
            row.remote_port in (self._port, self.play.port)
            and row.state in ("01", "04", "05", "08")
            for row in program.tcp_connections()
        )

    def types(self, line: str) -> None:
        """Type `line` and Enter, once everything is at rest. Raises Missing."""
        self.play.settle()
        self.play.acts(self.name, f"types `{screen.shorten(line)}`")
        self.enters(line)

    def enters(self, line: str) -> None:
        """Put `line` and Enter on the keyboard, now; no deed of its own. Raises Missing."""
        if not self.program.running:
            raise Missing(f"{self.name}'s client takes what is typed", self.play.what_ended())
        self._typed = line
        self.play.did("types", self.name, screen.shorten(line, 300))
        try:
            self.program.type_bytes(line.encode() + b"\n")
        except OSError:
            raise Missing(
                f"{self.name}'s client reads what is typed",
                "It has left more than 4,000 bytes unread on its terminal.",
            ) from None

    def presses(self, key: bytes) -> None:
        """Press a key such as Ctrl-C (b"\\x03") or Ctrl-D (b"\\x04")."""
        self.play.settle()
        self.play.acts(self.name, f"presses {key!r}")
        self.program.type_bytes(key)

    def mark(self) -> None:
        """The prompt is what stands on the screen's last, unfinished line now, if it looks like
        one."""
        program = self.program
        program.read_output()
        self._mark = program.output.total
        self._typed = ""
        last = screen.unfinished_line(screen.clean(program.output.since(0)[-4096:]))
        self._prompt = last.strip() if screen.looks_like_a_prompt(last) else ""

    def text(self) -> str:
        """Everything on this terminal, since the client was started."""
        return screen.clean(self.program.output.since(0))

    def since(self) -> str:
        """What appeared since the last deed, less prompts and an echo of the typed line."""
        text = screen.clean(self.program.output.since(self._mark))
        # One prompt may stand behind another, on one line: what it ends with is one, too.
        ends = (self._prompt[word.start() :] for word in re.finditer(r"\S+", self._prompt))
        text = screen.without_prompts(text, ends)
        if self._typed and text.lstrip().startswith(self._typed):
            text = text.lstrip()[len(self._typed) :]
        return text

    def answer(self) -> str:
        """All that the last deed brought, but for the prompt behind it."""
        return screen.without_prompt(super().answer())

    @property
    def connected(self) -> bool:
        """True while the client holds a connection to the server."""
        return self.program.running and self._is_connected(self.program)

    def endpoint(self) -> tuple[str, int]:
        """The client's own address, from the kernel's table."""
        for row in self.program.tcp_connections():
            if row.remote_port in (self._port, self.play.port):
                return self._host, row.local_port
        raise Missing(f"{self.name}'s client is connected", self.play.what_ended())

    def vanishes(self) -> None:
        """The client is killed: no word, no goodbye; the kernel closes its connection."""
        self.play.settle()
        self.play.acts(self.name, "vanishes (the client is killed)")
        self.program.ended_because = BY_THE_CHECK
        self.program.signal(signal.SIGKILL)
        self.program.wait(10)
        self.play.settle()

    def leaves(self) -> bool:
        """Type `/quit`; True when the client ends by itself."""
        self.types("/quit")
        ended = self.play.wait_for(lambda: not self.program.running)
        self.play.settle()
        return ended


class Person(TerminalUser):
    """A terminal user of milestones 2 to 4."""

    def logs_in(self) -> None:
        """`/nick NAME`; what it brings shows in the checks, not here."""
        self.types(f"/nick {self.name}")
        self.play.settle()
