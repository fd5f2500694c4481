"""Who is connected, and under which name. No socket in here: see the README for why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

SERVER: Final = "Server"
"""The name under which the server itself speaks. No user can take it."""
MAX_NAME: Final = 32
"""Most characters of a name."""


class User:
    """Somebody connected. The name is empty until it was chosen."""

    def __init__(self, ip: str, port: int, since: datetime) -> None:
        self.name = ""
        self.ip = ip
        self.port = port
        self.since = since


class Users:
    """Everybody who has a name, and their names (2.3)."""

    def __init__(self) -> None:
        self._by_name: dict[str, User] = {}

    def find(self, name: str) -> User | None:
        """Return the user of that name, if there is one."""
        return self._by_name.get(name)

    def everybody(self) -> Iterable[User]:
        """Return all users who have a name, in the order in which they took it."""
        return self._by_name.values()

    def refuse_name(self, user: User, name: str) -> str | None:
        """Return why `user` cannot be called `name`; None if nothing speaks against it (2.1, 2.2).

        The one reason that depends on who asks: a name in use is one's own, or somebody else's.
        """
        owner = self._by_name.get(name)
        if owner is user:
            return f"you are {name} already"
        if owner is not None or name.lower() == SERVER.lower():
            return f"the name {name} is in use, choose another one"
        return refuse_characters(name)

    def take_name(self, user: User, name: str) -> None:
        """Call `user` by a free `name` from now on; the old one is free at once (2.4)."""
        self.free_name(user)
        user.name = name
        self._by_name[name] = user

    def free_name(self, user: User) -> None:
        """Let others have the name of `user`, who leaves or takes another one (2.3)."""
        if user.name:
            del self._by_name[user.name]


def clean_name(raw: str) -> str:
    """Return a name without the blanks, line ends and NULs that some clients send around it."""
    return raw.strip(" \t\r\n\0")


def refuse_characters(name: str) -> str | None:
    """Return what is wrong with `name` as a name, whosever it is; None if nothing is (2.1)."""
    if not name:
        return "a name is missing: it belongs into the header's infos field"
    if not (name.isascii() and name.isalnum()):
        return "a name can have the letters a to z, A to Z and the digits only"
    if len(name) > MAX_NAME:
        return f"a name can have at most {MAX_NAME} characters"
    return None
