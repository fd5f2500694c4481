"""The play as the checks see it: who comes in, on which stage."""

from __future__ import annotations

import time

from . import kernel
from .actor import Actor
from .failures import Forbidden, Missing, NotReady, Waived
from .json_wire import JSONUser
from .play import Play
from .process import Program
from .prompted import Prompted
from .proxy import Proxy
from .terminal import Person, TerminalUser
from .wire import FrameUser, FrameWire, Wire, WireUser


class Chat(Play):
    """A server under test, and users who come to it."""

    def newcomer(self, name: str, *, host: str = "", port: int = 0) -> Actor:
        """Somebody who has connected and has not said who they are."""
        actor: Actor
        if self.stage == "terminal":
            kind = {1: TerminalUser, 5: Prompted}.get(self.settings.milestone, Person)
            actor = kind(self, name, host=host, port=port)
        elif self.settings.milestone == 1:
            actor = WireUser(self, name, host=host)
        elif self.settings.milestone == 5:
            actor = JSONUser(self, name, host=host)
        else:
            actor = FrameUser(self, name, host=host)
        return actor

    def user(self, name: str, *, host: str = "", port: int = 0) -> Actor:
        """Somebody who has connected and, from milestone 2 on, has logged in."""
        actor = self.newcomer(name, host=host, port=port)
        if isinstance(actor, (Person, FrameUser, JSONUser)):
            actor.logs_in()
        return actor

    def users(self, *names: str) -> list[Actor]:
        """Several users, one fully logged in before the next connects."""
        return [self.user(name) for name in names]

    def people(self, *names: str) -> list[TerminalUser]:
        """The same, where only the terminal stage makes sense."""
        actors = self.users(*names)
        return [actor for actor in actors if isinstance(actor, TerminalUser)]

    def user_behind_proxy(self, name: str) -> tuple[Actor, Proxy]:
        """A user whose client's bytes pass a recording relay. Raises Waived when the client goes
        to a port of its own choice instead."""
        proxy = Proxy(self, name)
        actor = self.user(name, port=proxy.port)
        # The client is connected when the kernel says so; the relay takes it up a little later.
        if not self.wait_for(lambda: bool(proxy.relays)):
            raise Waived("the client does not connect to the port it is given")
        return actor, proxy

    def stranger(self, name: str = "a stranger", *, small: bool = False) -> Wire:
        """A bare connection to the server, for bytes of any kind: needs no dialect."""
        self.acts(name, "connects")
        return Wire(self, name, small=small)

    def frames(self, name: str = "a stranger", *, small: bool = False) -> FrameWire:
        """The same, reading what comes as frames."""
        self.acts(name, "connects")
        return FrameWire(self, name, small=small)

    def server_command(self) -> list[str]:
        """The server's command, host and port still to be filled in."""
        if self.settings.attach:
            raise Waived("the server was started by somebody else (--attach)")
        if not self.settings.server:
            raise NotReady((), "the submission has a server", "No server was found in it.")
        return self.settings.server

    def client_program(self) -> list[str]:
        """The client's command without its arguments."""
        if not self.settings.client:
            raise NotReady((), "the submission has a client", "No client was found in it.")
        return [part for part in self.settings.client if "{" not in part]

    def talk(self, sender: Actor, receiver: Actor) -> None:
        """A message of the one is shown to the other: a private one or, where those do not work
        at all, which 2.9 looks at, one to all. Raises Missing."""
        text = self.token()
        sender.tells(receiver.name, text)
        if self.settings.milestone < 5 and not self.wait_for(lambda: text in receiver.text()):
            text = self.token()
            sender.types(f"/msgall {text}")
        receiver.sees(text)

    def own_server(self) -> Program:
        """The server, where we started it and may look into it."""
        if self.server is None or not kernel.LINUX:
            raise Waived("what the server holds can be seen only if we started it, on Linux")
        return self.server

    def connections(self) -> list[kernel.Connection]:
        """Every TCP socket of the play."""
        return kernel.connections()

    def note_rest(self) -> None:
        """Write down what reached users who read frames and was no whole frame."""
        for source in self._sources:
            if isinstance(source, FrameWire):
                source.note_rest()

    def linger(self, seconds: float) -> None:
        """Let time pass: for idle CPU alone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.pump(left)

    def server_survives(self, offence: str, *promised_by: str) -> None:
        """The server is still running, as the ids `promised_by` promise. Raises Forbidden, which
        counts on either stage."""
        self.settle()
        self.expect(f"the server survives {offence}")
        if self.server is not None and not self.server.running:
            raise Forbidden(
                f"the server survives {offence}",
                f"The server {self.server.end_in_words} after {self.last_action}."
                f"{self.tail(self.server)}",
                rests_on=promised_by,
            )

    def require(self, holds: bool, expected: str, came: str = "") -> None:
        """A positive promise that needs no waiting. Raises Missing."""
        self.expect(expected)
        if not holds:
            raise Missing(expected, f"{came} {self.what_ended()}".strip())

    def forbid(self, happened: bool, expected: str, came: str = "") -> None:
        """A negative promise: `happened` must be false. Raises Forbidden."""
        self.expect(expected)
        if happened:
            raise Forbidden(expected, f"{came} {self.what_ended()}".strip())
