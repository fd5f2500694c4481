"""Which users were asked to take a file and have not answered yet. The server's share of it.

The server sees requests and answers, but never a file. It remembers who asked whom for one
reason: names change. The answer to `alice` must reach the user who asked under that name, even
if she is called otherwise now, and even if somebody else is called alice now.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from milestone4_p2p.users import User

MOST_WAITING: Final = 16
"""Most requests of one user that may wait for the answer of another."""


class Request(NamedTuple):
    """A request: who asked, under which name, and who was asked."""

    asker: User
    asked_as: str
    asked: User


class FileRequests:
    """All requests without an answer, the oldest first (4.2)."""

    def __init__(self) -> None:
        self._waiting: list[Request] = []

    def add(self, asker: User, asked: User) -> bool:
        """Note that `asker` asks, under the present name; False if too many wait already."""
        request = Request(asker, asker.name, asked)
        if sum(other[::2] == (asker, asked) for other in self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(request)
        return True

    def answer(self, asked: User, asked_as: str) -> User | None:
        """Return who asked under that name first, and forget the request; None: nobody did."""
        for request in self._waiting:
            if request.asked is asked and request.asked_as == asked_as:
                self._waiting.remove(request)
                return request.asker
        return None

    def withdraw(self, asker: User, asked: User) -> None:
        """Forget what `asker` asked of `asked` first."""
        for request in self._waiting:
            if request.asker is asker and request.asked is asked:
                self._waiting.remove(request)
                return

    def counterparts(self, user: User) -> list[User]:
        """Return the other side of each request by or to `user`."""
        return [
            request.asked if request.asker is user else request.asker
            for request in self._waiting
            if user in (request.asker, request.asked)
        ]

    def forget(self, user: User) -> None:
        """Forget every request by or to `user`, who leaves."""
        self._waiting = [
            request for request in self._waiting if user not in (request.asker, request.asked)
        ]
