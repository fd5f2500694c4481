"""Wrong programs of milestone 3. What they derive from is milestone3_rooms/, on common/."""

from __future__ import annotations

import signal
import socket

from common.addresses import listen
from common.connection import Connection
from common.framing import Message, MessageType, ProtocolError
from common.poller import make_poller
from milestone3_rooms.client import ChatClient
from milestone3_rooms.rooms import Room, Rooms
from milestone3_rooms.server import ChatServer
from milestone3_rooms.users import MAX_NAME, User, clean_name, refuse_characters
from tests.mutants.registry import add, mutant
from tests.mutants.restless import restless

# 3.1: making rooms


@mutant("3.1", "server")
class TakesAnyRoomName(Rooms):
    """The names of rooms may hold punctuation."""

    def refuse_name(self, name: str) -> str | None:
        """Look at letters and digits alone."""
        return super().refuse_name("".join(filter(str.isalnum, name)))


@mutant("3.1", "server")
class CutsLongRoomNames(ChatServer):
    """A room's name that is too long is cut, instead of refused."""

    def create_room(self, user: User, message: Message) -> None:
        """Take what fits."""
        super().create_room(user, message._replace(infos=clean_name(message.infos)[:MAX_NAME]))


@mutant("3.1", "server")
class RefusesRoomNamesSilently(ChatServer):
    """A bad room name is refused without a word."""

    def create_room(self, user: User, message: Message) -> None:
        """Go on only with a good name."""
        if refuse_characters(clean_name(message.infos)) is None:
            super().create_room(user, message)


@mutant("3.1", "server")
class MakesNoRooms(ChatServer):
    """/create is confirmed, and there is no room."""

    def create_room(self, user: User, message: Message) -> None:
        """Say yes."""
        self.tell(user, message.type, f"You have created {message.infos}", subject=message.infos)


# 3.2: the creator


@mutant("3.2", "server")
class LeavesTheCreatorOutside(ChatServer):
    """Who creates a room has to join it."""

    def create_room(self, user: User, message: Message) -> None:
        """Create, but do not enter."""
        super().create_room(user, message)
        room = self.rooms.room_of(user)
        if room is not None and room.name == clean_name(message.infos):
            self.rooms.leave(user)


class InSeveralRooms(ChatServer):
    """No mutant: lets users be members of a room that they are not in any more."""

    def leave_room(self, user: User) -> bool:
        """Leave the rooms, too, that were not left in time."""
        destroyed = super().leave_room(user)
        for room in list(self.rooms.all_rooms()):
            if user in room.members:
                room.members.remove(user)
                self.rooms.destroy_if_empty(room)
        return destroyed


@mutant("3.2", "server", instead_of=ChatServer)
class KeepsTheCreatorInTheRoomBefore(InSeveralRooms):
    """Who creates a room hears on what is said in the one before."""

    def create_room(self, user: User, message: Message) -> None:
        """Enter the new one, and stay in the old one while others are there."""
        before = self.rooms.room_of(user)
        super().create_room(user, message)
        if before is not None and before.members and self.rooms.room_of(user) is not before:
            before.members.append(user)


# 3.3: the list of rooms


@mutant("3.3", "server")
class ListsTheFirstRoomOnly(ChatServer):
    """/channel_list shows one room."""

    def list_rooms(self, user: User, message: Message) -> None:
        """Do not walk through the list."""
        names = [room.name for room in self.rooms.all_rooms()]
        self.tell(user, message.type, names[0] if names else "There are no channels")


@mutant("3.3", "server")
class SaysNothingWhenThereAreNoRooms(ChatServer):
    """/channel_list without any room is not answered."""

    def list_rooms(self, user: User, message: Message) -> None:
        """Send a line for each room."""
        if list(self.rooms.all_rooms()):
            super().list_rooms(user, message)


# 3.4: creating what exists


@mutant("3.4", "server")
class EntersWhatExists(ChatServer):
    """Creating a room that exists enters it."""

    def create_room(self, user: User, message: Message) -> None:
        """Join instead."""
        if self.rooms.find(clean_name(message.infos)) is not None:
            self.join_room(user, message)
        else:
            super().create_room(user, message)


@mutant("3.4", "server")
class RefusesWhatExistsSilently(ChatServer):
    """Creating a room that exists is refused without a word."""

    def create_room(self, user: User, message: Message) -> None:
        """Go on only with a new name."""
        if self.rooms.find(clean_name(message.infos)) is None:
            super().create_room(user, message)


@mutant("3.4", "server")
class LooksAtTheNewestRoomOnly(Rooms):
    """Of the rooms that exist, only the newest cannot be created again."""

    def refuse_name(self, name: str) -> str | None:
        """Compare with one name."""
        newest = next(reversed(self._by_name), None)
        return super().refuse_name(name) if name == newest else refuse_characters(name)

    def destroy_if_empty(self, room: Room) -> bool:
        """Destroy it where it is still known by its name."""
        return self.find(room.name) is room and super().destroy_if_empty(room)


# 3.5: in and out


@mutant("3.5", "server", also=("3.6",))
class MakesWhatIsJoined(ChatServer):
    """Joining a room that does not exist makes it."""

    def join_room(self, user: User, message: Message) -> None:
        """Create instead."""
        if self.rooms.find(clean_name(message.infos)) is None:
            self.create_room(user, message)
        else:
            super().join_room(user, message)


@mutant("3.5", "server")
class EndsTheConnectionWithTheRoom(ChatServer):
    """Who leaves a room is disconnected."""

    def quit_room(self, user: User, message: Message) -> None:
        """Leave everything."""
        super().quit_room(user, message)
        self.dismiss(self.connection_of[user], "quit")


@mutant("3.5", "client")
class QuitsForGood(ChatClient):
    """In a room, too, /quit ends the client."""

    def quit(self, room: str = "") -> None:
        """Do not ask where one is."""
        self.console.show("Goodbye.")
        self.leave()


@mutant("3.5", "server", also=("3.7", "3.9"))
class OnlySaysThatOneHasLeft(ChatServer):
    """Who quits a room is told so, and stays a member."""

    def quit_room(self, user: User, message: Message) -> None:
        """Say it."""
        room = self.rooms.room_of(user)
        if room is not None:
            self.tell(user, message.type, f"You have left {room.name}", subject=room.name)


@mutant("3.5", "server", also=("3.6",))
class SaysNothingOfUnknownRooms(ChatServer):
    """Joining a room that does not exist is not answered."""

    def join_room(self, user: User, message: Message) -> None:
        """Go on only with a room."""
        if self.rooms.find(clean_name(message.infos)) is not None:
            super().join_room(user, message)


# 3.6: from room to room


@mutant("3.6", "server", instead_of=ChatServer)
class StaysInBothRooms(InSeveralRooms):
    """Who joins another room hears on what is said in the one before."""

    def join_room(self, user: User, message: Message) -> None:
        """Enter the new one, and stay in the old one while others are there."""
        before = self.rooms.room_of(user)
        super().join_room(user, message)
        if before is not None and before.members and self.rooms.room_of(user) is not before:
            before.members.append(user)


@mutant("3.6", "server")
class LeavesBeforeTheJoinIsRefused(ChatServer):
    """A refused join takes the user out of the room."""

    def join_room(self, user: User, message: Message) -> None:
        """Leave first, then look whether the room exists."""
        if self.rooms.find(clean_name(message.infos)) is None:
            self.leave_room(user)
        super().join_room(user, message)


# 3.7: the end of a room


@mutant("3.7", "server")
class NeverDestroysRooms(Rooms):
    """Rooms stay when everybody has left."""

    def destroy_if_empty(self, room: Room) -> bool:
        """Keep it."""
        return False


@mutant("3.7", "server")
class KeepsRoomsOfTheLost(ChatServer):
    """A room stays when its last member is lost."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Take the user out, and do not look whether somebody is left."""
        user = self.user_of[connection]
        room = self.rooms.leave(user)
        if room is not None:
            self.announce_departure(user, room)
        super().disconnected(connection, reason)


@mutant("3.7", "server")
class DestroysRoomsWithMembers(Rooms):
    """A room is destroyed when one of two leaves."""

    def destroy_if_empty(self, room: Room) -> bool:
        """Count wrongly."""
        if len(room.members) > 1:
            return False
        for member in list(room.members):
            self.leave(member)
        return super().destroy_if_empty(room)


@mutant("3.7", "server")
class StillCountsTheLost(ChatServer):
    """Who is lost while others are in the room is counted as a member for good."""

    def leave_room(self, user: User) -> bool:
        """Count who is lost, and never find that room empty."""
        room = self.rooms.room_of(user)
        if room is None:
            return super().leave_room(user)
        miscounted = room in self.__dict__.setdefault("miscounted", set())
        if user not in self.connection_of and len(room.members) > 1:
            self.__dict__["miscounted"].add(room)
        if not miscounted:
            return super().leave_room(user)
        self.rooms.leave(user)
        self.announce_departure(user, room)
        return False


@mutant("3.7", "server")
class DestroysTheRoomOfALostCreator(ChatServer):
    """A room goes when the one who made it is lost, whoever is in it."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Send the others away."""
        user = self.user_of[connection]
        room = self.rooms.room_of(user)
        if room is not None and room.members[0] is user:
            for member in room.members[1:]:
                self.leave_room(member)
        super().disconnected(connection, reason)


@mutant("3.7", "server")
class LetsOutsidersQuit(ChatServer):
    """MULTICAST_QUIT goes by the room's name, whoever sends it, and counts one member less."""

    def quit_room(self, user: User, message: Message) -> None:
        """Take somebody out of the room that is named."""
        room = self.rooms.find(clean_name(message.infos))
        outside = room is not None and self.rooms.room_of(user) is None
        super().quit_room(room.members[0] if room and outside else user, message)


@mutant("3.7", "server")
class HangsOnTheLastOneWhoJoinsElsewhere(ChatServer):
    """A room that is left for another, by its last member, is looked for in a list without end."""

    def leave_for_another(self, user: User) -> None:
        """Never come back."""
        room = self.rooms.room_of(user)
        if room is not None and len(room.members) == 1:
            signal.pause()
        super().leave_for_another(user)


@mutant("3.7", "server")
class TellsTheLastOneNothing(ChatServer):
    """The last one who leaves a room is not told."""

    def quit_room(self, user: User, message: Message) -> None:
        """Leave without a word where nobody else is."""
        room = self.rooms.room_of(user)
        if room is not None and len(room.members) == 1:
            self.leave_room(user)
            self.tell(user, message.type, "", subject="")
        else:
            super().quit_room(user, message)


@mutant("3.7", "server")
class TellsTheLastOneAsAnybody(ChatServer):
    """The last one who leaves is told no more than others who leave."""

    def tell_destroyed(self, user: User, room: Room) -> None:
        """Say nothing of the room."""


# 3.8: talk


@mutant("3.8", "server", also=("3.2",))
class TalksToAllRooms(ChatServer):
    """What is said in a room reaches everybody who is in any."""

    def deliver_to_room(self, user: User, room: Room, payload: bytes) -> None:
        """Go through all rooms."""
        for each in self.rooms.all_rooms():
            super().deliver_to_room(user, each, payload)


@mutant("3.8", "server", also=("3.5",))
class TalksToWhoIsInNoRoom(ChatServer):
    """What is said in a room reaches those, too, who are in none."""

    def deliver_to_room(self, user: User, room: Room, payload: bytes) -> None:
        """Go through all users."""
        super().deliver_to_room(user, room, payload)
        outside = [one for one in self.users.everybody() if self.rooms.room_of(one) is None]
        self.deliver(Message(MessageType.MULTICAST_SEND, user.name, "", payload), outside)


@mutant("3.8", "server")
class SendsTalkBack(ChatServer):
    """What is said in a room comes back to who said it."""

    def deliver_to_room(self, user: User, room: Room, payload: bytes) -> None:
        """Go through all members."""
        message = Message(MessageType.MULTICAST_SEND, user.name, room.name, payload)
        self.deliver(message, room.members)


@mutant("3.8", "server")
class BelievesWhichRoom(ChatServer):
    """The frame says which room is meant, whoever is in it."""

    def say_in_room(self, user: User, message: Message) -> None:
        """Look the room up by the name in the frame."""
        room = self.rooms.find(clean_name(message.infos))
        if room is not None:
            self.deliver_to_room(user, room, message.payload)
        else:
            super().say_in_room(user, message)


@mutant("3.8", "server")
class TalksToTheFirstOther(ChatServer):
    """Of the members, one hears what is said."""

    def deliver_to_room(self, user: User, room: Room, payload: bytes) -> None:
        """Stop after the first."""
        others = [member for member in room.members if member is not user][:1]
        self.deliver(Message(MessageType.MULTICAST_SEND, user.name, room.name, payload), others)


@mutant("3.8", "server")
class GivesAwayThePlaceOfTheLost(ChatServer):
    """Users live in an array: who comes next gets the place of one who was lost, and the room."""

    inherited: list[Room]

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Leave the room written in the place."""
        room = self.rooms.room_of(self.user_of[connection])
        super().disconnected(connection, reason)
        self.inherited = [room] if room is not None and room.members else []

    def deliver_to_room(self, user: User, room: Room, payload: bytes) -> None:
        """Send it to the newest one, too."""
        super().deliver_to_room(user, room, payload)
        newest = list(self.users.everybody())[-1]
        if room in getattr(self, "inherited", []) and newest not in room.members:
            message = Message(MessageType.MULTICAST_SEND, user.name, room.name, payload)
            self.deliver(message, [newest])


@mutant("3.8", "client")
class TalksToNobody(ChatClient):
    """Text in a room is sent as if it were for oneself."""

    def send_text(self, text: str) -> None:
        """Forget the room."""
        self.request(MessageType.ECHO_SEND, "", text)


# 3.9: arrivals and departures


@mutant("3.9", "server")
class SaysNothingOfArrivals(ChatServer):
    """Nobody is told who joins."""

    def announce_arrival(self, user: User, room: Room) -> None:
        """Say nothing."""


@mutant("3.9", "server")
class SaysNothingOfDepartures(ChatServer):
    """Nobody is told who leaves."""

    def announce_departure(self, user: User, room: Room) -> None:
        """Say nothing."""


@mutant("3.9", "server")
class SaysNothingOfTheLost(ChatServer):
    """Nobody is told who was lost."""

    def announce_departure(self, user: User, room: Room) -> None:
        """Speak of those who are still here."""
        if user in self.connection_of:
            super().announce_departure(user, room)


@mutant("3.9", "server")
class TellsEverybody(ChatServer):
    """Everybody on the server is told who joins a room."""

    def announce_arrival(self, user: User, room: Room) -> None:
        """Go through all users."""
        text = f"INFO> {user.name} has joined {room.name}".encode()
        others = [other for other in self.users.everybody() if other is not user]
        self.deliver(Message(MessageType.MULTICAST_SEND, "Server", room.name, text), others)


@mutant("3.9", "server")
class TellsEverybodyWhoLeaves(ChatServer):
    """Everybody on the server is told who leaves a room."""

    def announce_departure(self, user: User, room: Room) -> None:
        """Go through all users."""
        text = f"INFO> {user.name} has quit {room.name}".encode()
        others = [other for other in self.users.everybody() if other is not user]
        self.deliver(Message(MessageType.MULTICAST_SEND, "Server", room.name, text), others)


# 3.A to 3.C


@mutant("3.A", "server", instead_of=listen)
def listens_on_ipv4_only(host: str | None, port: int) -> list[socket.socket]:
    """The server has an IPv4 socket only."""
    return listen("0.0.0.0", port)


@mutant("3.B", "server")
class CrashesOnWhatIsNoFrame(ChatServer):
    """A length or a type that cannot be ends the server."""

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """Let the exception go on."""
        raise error


@mutant("3.B", "server", shown_by="a_reader_that_never_reads_harms_nobody_else")
class WaitsForSlowReaders(Connection):
    """Sockets block: a client that does not read holds up everybody."""

    def flush(self) -> None:
        """Send all of it, however long it takes."""
        data, self.waiting = b"".join(self._outbox), 0
        self._outbox.clear()
        self.sock.setblocking(True)
        self.sock.sendall(data)
        self.sock.setblocking(False)


add(
    "3.C",
    "server",
    "asks-without-rest",
    "poll() is called with a timeout of 0: a busy loop.",
    make_poller,
    restless,
    shown_by="an_idle_server_uses_no_cpu",
)
