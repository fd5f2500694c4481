"""The wire stage of milestone 5: an actor who speaks JSON objects to the server under test.

What is typed on a terminal step by step (`DM`, `bob`, `hello`) becomes one object here. What comes
back is read as a stream of values, with whatever between them, and nothing is demanded of it but
that what was promised can be found: requirement 5.1 has checks of its own for its form.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from . import screen
from .actor import Actor
from .failures import NotReady
from .wire import Wire, WireUser

if TYPE_CHECKING:
    from .play import Play

LOGIN_SHOWS = 2.0
"""Seconds in which a login is expected to show, before the play goes on without that."""
ENOUGH = 8
"""Logins without any answer after which a server counts as mute, if nothing ever came of one."""
_BETWEEN = " \t\r\n\0"
_FIELDS = {"PM": ("message",), "DM": ("to", "message"), "WHO": (), "EX": ()}


def password_of(name: str) -> str:
    """The password that this user has, if a check does not say otherwise."""
    return f"Pass4{name}"


def login_object(name: str, password: str) -> dict[str, object]:
    """The object that logs somebody in."""
    return {"command": "login", "username": name, "password": password}


def object_for(typed: str) -> dict[str, object]:
    """The object for an operation as it is typed, one line for each step: `DM`, `bob`, `hello`."""
    operation, *steps = typed.split("\n")
    return {"command": operation, **dict(zip(_FIELDS[operation], steps, strict=True))}


def await_login(actor: Actor, name: str) -> None:
    """Wait until a login shows; what it brings is for the checks to say."""
    play = actor.play
    play.wait_for(lambda: screen.has_word(actor.since(), name), LOGIN_SHOWS)
    play.settle()


def note_answer(play: Play, answered: bool) -> None:
    """Remember whether a server under test answers at all: to a login, or by a message."""
    mute = play.session.mute_logins
    if answered:
        mute[play.stage] = -1
    elif mute.get(play.stage, 0) >= 0:
        mute[play.stage] = mute.get(play.stage, 0) + 1


def refuse_the_mute(play: Play) -> None:
    """Waste no time on a server that never answers. Raises NotReady."""
    if play.session.mute_logins.get(play.stage, 0) >= ENOUGH:
        raise NotReady((), "the server answers a login", f"{ENOUGH} before had no answer at all.")


class JSONWire(Wire):
    """A connection whose bytes are read as JSON values, leniently, as they come."""

    def __init__(self, play: Play, name: str, *, host: str = "", small: bool = False) -> None:
        self.values: list[tuple[int, object]] = []  # (bytes received with it, value)
        self.garbled = ""  # why the bytes cannot be JSON objects and lists
        self.rest = ""  # what came behind the last whole value
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._parser = json.JSONDecoder(strict=False)
        super().__init__(play, name, host=host, small=small)

    def on_data(self, data: bytes) -> None:
        """Take the whole values out of what has come."""
        super().on_data(data)
        self.rest = (self.rest + self._decode(data)).lstrip(_BETWEEN)
        while self.rest:
            if self.rest[0] not in "{[":
                self.garbled = self.garbled or f"`{screen.shorten(self.rest)}` begins no object"
                self.rest = self.rest[_first_bracket(self.rest) :]
                continue
            try:
                value, end = self._parser.raw_decode(self.rest)
            except (ValueError, RecursionError):
                return  # not whole yet, or never
            self.values.append((self.received.total, value))
            self.rest = self.rest[end:].lstrip(_BETWEEN)


def _first_bracket(text: str) -> int:
    places = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    return min(places, default=len(text))


class JSONUser(WireUser):
    """An actor of milestone 5 who speaks the official objects."""

    wire: JSONWire

    def _connect(self, host: str, small: bool) -> JSONWire:
        return JSONWire(self.play, self.name, host=host, small=small)

    def logs_in(self, name: str = "", password: str = "") -> None:
        """Send a login and wait until it shows; what it brings is for the checks to say."""
        name = name or self.name
        password = password or password_of(name)
        refuse_the_mute(self.play)
        self.sends(login_object(name, password), f"logs in as {name} with {password}")
        await_login(self, name)
        note_answer(self.play, bool(self.since()))

    def types(self, line: str) -> None:
        """Send the object for an operation."""
        self.sends(object_for(line), "sends")

    def tells(self, name: str, text: str) -> None:
        """DM."""
        self.types(f"DM\n{name}\n{text}")

    def sends(self, value: Mapping[str, object], deed: str) -> None:
        """Send one object, in the form of the reference: a newline behind it."""
        self.play.settle()
        text = json.dumps(value)
        self.play.acts(self.name, f"{deed}: {screen.shorten(text)}")
        self.wire.send_all(text.encode() + b"\n")

    def leaves(self) -> bool:
        """EX; True when the server closes."""
        self.types("EX")
        closed = self.play.wait_for(lambda: bool(self.wire.ended))
        self.wire.close()
        self.play.settle()
        return closed

    def text(self) -> str:
        """All strings in all values; the bare bytes as well where they are no JSON."""
        return self._text_from(0)

    def since(self) -> str:
        """The same, since the last deed."""
        return self._text_from(self._mark)

    def _text_from(self, position: int) -> str:
        wire = self.wire
        lines = [" ".join(words_in(value)) for at, value in wire.values if at > position]
        raw = wire.received.since(position).decode("utf-8", "replace")
        if wire.garbled or wire.rest:
            lines.append(raw)
        return "\n".join(lines)


def words_in(value: object) -> Iterator[str]:
    """Every string of a JSON value, keys too, and its numbers."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from words_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words_in(inner)
    else:
        yield str(value)
