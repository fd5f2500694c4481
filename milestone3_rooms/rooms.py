"""Which rooms exist, and who is in which. No socket in here, as in users.py.

A user is in one room or in none; a room has at least one member, or it does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable

from milestone3_rooms.users import User, refuse_characters


class Room:
    """A room: its name and its members, in the order in which they came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: list[User] = []


class Rooms:
    """All rooms, and every user's way to their own."""

    def __init__(self) -> None:
        self._by_name: dict[str, Room] = {}
        self._room_of: dict[User, Room] = {}

    def find(self, name: str) -> Room | None:
        """Return the room of that name, if there is one."""
        return self._by_name.get(name)

    def room_of(self, user: User) -> Room | None:
        """Return the room that `user` is in, if any."""
        return self._room_of.get(user)

    def all_rooms(self) -> Iterable[Room]:
        """Return all rooms that exist, in the order of their creation (3.3)."""
        return self._by_name.values()

    def refuse_name(self, name: str) -> str | None:
        """Return why there can be no new room `name`; None if there can be (3.1, 3.4)."""
        if name in self._by_name:
            return f"channel {name} exists already"
        return refuse_characters(name)

    def create(self, name: str) -> Room:
        """Make a room. It is empty: somebody has to enter at once (3.1)."""
        room = self._by_name[name] = Room(name)
        return room

    def enter(self, user: User, room: Room) -> None:
        """Put `user`, who is in no room, into `room` (3.2, 3.5)."""
        room.members.append(user)
        self._room_of[user] = room

    def leave(self, user: User) -> Room | None:
        """Take `user` out of their room, and return it; None if they were in none (3.5, 3.6)."""
        room = self._room_of.pop(user, None)
        if room is not None:
            room.members.remove(user)
        return room

    def destroy_if_empty(self, room: Room) -> bool:
        """Remove a room without members; say whether it was one (3.7)."""
        if room.members:
            return False
        del self._by_name[room.name]
        return True
