"""What every actor can do and notice, on whichever stage.

An actor never asks for wording. What it was shown is searched for what the requirement fixes: a
fresh random token, a name, an address. `since` is everything after the last thing that anybody
in the play did; it is what that deed brought about.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from . import screen
from .failures import Forbidden, Missing

if TYPE_CHECKING:
    from .play import Play


class Actor(abc.ABC):
    """Somebody in the play: a name, and what they were shown."""

    def __init__(self, play: Play, name: str) -> None:
        self.play = play
        self.name = name
        self.arrived = False  # client started, or connection made
        play.actors.append(self)

    # -- what a stage has to provide ----------------------------------------------------------

    @abc.abstractmethod
    def types(self, line: str) -> None:
        """Do what a person does who types `line` and Enter."""

    def tries(self, line: str) -> None:
        """Type a line that is expected to be refused."""
        self.types(line)

    def tells(self, name: str, text: str) -> None:
        """Send a private message."""
        self.types(f"/msg {name} {text}")

    @abc.abstractmethod
    def mark(self) -> None:
        """Remember this moment, the beginning of `since`."""

    @abc.abstractmethod
    def text(self) -> str:
        """All that this actor was shown."""

    @abc.abstractmethod
    def since(self) -> str:
        """What this actor was shown since the last deed, without prompts and own typing."""

    @property
    @abc.abstractmethod
    def connected(self) -> bool:
        """True while the connection to the server stands."""

    @abc.abstractmethod
    def vanishes(self) -> None:
        """Be gone at once, without a word: the abrupt loss of requirement 1.7."""

    @abc.abstractmethod
    def leaves(self) -> bool:
        """Leave in the orderly way, `/quit`; True when the program under test ended by itself."""

    @abc.abstractmethod
    def endpoint(self) -> tuple[str, int]:
        """IP address and port of this actor, as the server sees them."""

    # -- expectations -------------------------------------------------------------------------

    def sees(self, text: str, promise: str = "") -> None:
        """`text` is shown to this actor (at any time so far). Raises Missing."""
        expected = promise or f"{self.name} is shown `{_short(text)}`"
        self.play.expect(expected)
        if not self.play.wait_for(lambda: text in self.text()):
            raise Missing(expected, self._what_came_instead())

    def sees_nothing_of(self, text: str, promise: str = "") -> None:
        """`text` is never shown to this actor, up to the end of the check. Raises Forbidden."""
        expected = promise or f"{self.name} is shown nothing of `{_short(text)}`"
        self.play.expect(expected)
        self.play.watch_for(self, text, expected)

    def sees_from(self, sender: str, text: str) -> None:
        """`text` is shown, and the sender's name with it. Raises Missing."""
        self.sees(text)
        expected = f"{self.name} is shown that it comes from {sender}"
        self.play.expect(expected)
        if not self.play.wait_for(lambda: screen.has_word(self.since(), sender)):
            raise Missing(expected, self._what_came_instead())

    def is_told(self, promise: str = "") -> None:
        """Something is said to this actor in answer to the last deed. Raises Missing."""
        expected = promise or f"{self.name} is told something"
        self.play.expect(expected)
        if not self.play.wait_for(lambda: self.hears_something()):
            raise Missing(expected, self._what_came_instead())
        # What a client says about a lost connection answers nothing. A server that crashes has
        # closed its sockets a moment before it is gone: so let it come to rest first.
        self.play.settle()
        server = self.play.server
        if server is not None and not server.running and not server.ended_because:
            raise Missing(expected, self._what_came_instead())

    def is_told_anew(self, known: str, *names: str, promise: str) -> None:
        """Something is said, and not the very words of a success that are `known`, whatever the
        names and numbers in them. Raises Missing."""
        self.is_told(promise)
        answer = self.answer()
        if not screen.says_anything_new(answer, known, *names):
            told = _short(" ".join(answer.split()), 300)
            raise Missing(promise, f"Told was what a success brings, too: `{told}`.")

    def hears_something(self) -> bool:
        """True when the last deed has brought words to this actor, more than a prompt."""
        return screen.says_something(screen.without_prompt(self.since()))

    def lists(self, *words: str) -> None:
        """The answer to the last deed holds all of these words. Raises Missing."""
        expected = f"the answer to {self.name} holds {', '.join(words)}"
        self.play.expect(expected)
        if not self.play.wait_for(lambda: all(screen.has_word(self.since(), w) for w in words)):
            lost = [word for word in words if not screen.has_word(self.since(), word)]
            raise Missing(expected, f"{', '.join(lost)} missing. {self._what_came_instead()}")

    def lists_not(self, *words: str) -> None:
        """The answer to the last deed holds none of these words. Raises Forbidden."""
        expected = f"the answer to {self.name} does not hold {', '.join(map(_short, words))}"
        self.play.expect(expected)
        self.play.settle()
        for word in words:
            if screen.has_word(self.since(), word) or _is_cut(word, self.since()):
                raise Forbidden(expected, self._what_came_instead())

    def answer(self) -> str:
        """All that the last deed brought to this actor, once everything is at rest."""
        self.play.settle()
        return self.since()

    def _what_came_instead(self) -> str:
        came = " ".join(self.since().split())
        shown = f"What came: `{_short(came, 300)}`." if came else "Nothing came."
        ended = self.play.what_ended()
        return f"{shown} {ended}".strip()

    def transcript(self) -> str:
        """What this actor was shown, for the report."""
        return self.text()


def _is_cut(word: str, text: str) -> bool:
    """True when the beginning of an overlong word stands there: cut short, but taken."""
    return len(word) > 64 and word[:32] in text


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 20]}... ({len(text)} characters)"
