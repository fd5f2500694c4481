#!/usr/bin/env python3
"""Milestone 4's server: users log in with a name, and write to one, to all, or to a room.

New: it passes requests to take a file and their answers on. The files never come here.

`common.server` moves the frames. This file says what they mean: one method for each type of
message, found in a table, and one small method for each promise.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

# Run as a script, Python looks for modules beside this file; ours are one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import addresses, poller
from common.commandline import invitation, server_parser
from common.connection import Connection
from common.errors import exit_status
from common.framing import MAX_TEXT, Message, MessageType, ProtocolError, encode
from common.log import Log
from common.server import FrameServer
from common.signals import catch_end_signals
from milestone4_p2p.requests import FileRequests
from milestone4_p2p.rooms import Room, Rooms
from milestone4_p2p.users import SERVER, User, Users, clean_name

QUIT = b"/quit"


class ChatServer(FrameServer):
    """Users, their names, their rooms, and messages among them."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        log: Log,
        *,
        poller_kind: str = poller.KINDS[0],
    ) -> None:
        super().__init__(listeners, log, poller_kind=poller_kind)
        self.users = Users()
        self.rooms = Rooms()
        self.requests = FileRequests()
        # The only place where a user and a connection meet.
        self.user_of: dict[Connection, User] = {}
        self.connection_of: dict[User, Connection] = {}
        self.handlers = self.make_handlers()

    def make_handlers(self) -> dict[int, Callable[[User, Message], None]]:
        """Return which method handles which type of message."""
        return {
            MessageType.NICKNAME_NEW: self.name_user,
            MessageType.NICKNAME_LIST: self.list_users,
            MessageType.NICKNAME_INFOS: self.describe_user,
            MessageType.ECHO_SEND: self.echo,
            MessageType.UNICAST_SEND: self.deliver_private,
            MessageType.BROADCAST_SEND: self.deliver_to_all,
            MessageType.MULTICAST_CREATE: self.create_room,
            MessageType.MULTICAST_LIST: self.list_rooms,
            MessageType.MULTICAST_JOIN: self.join_room,
            MessageType.MULTICAST_SEND: self.say_in_room,
            MessageType.MULTICAST_QUIT: self.quit_room,
            MessageType.FILE_REQUEST: self.forward_request,
            MessageType.FILE_ACCEPT: self.forward_answer,
            MessageType.FILE_REJECT: self.forward_answer,
        }

    # Coming, speaking, going

    def connected(self, connection: Connection) -> None:
        """Ask who it is (2.1)."""
        user = User(connection.ip, connection.port, datetime.now())
        self.user_of[connection] = user
        self.connection_of[user] = connection
        self.log(f"connect {connection.address}")
        self.tell(user, MessageType.ECHO_SEND, "please login with /nick <your pseudo>")

    def received(self, connection: Connection, message: Message) -> None:
        """Let the handler of its type answer a message, once its sender has logged in."""
        user = self.user_of[connection]
        if not user.name and self.refuse_stranger(user, message):
            return
        handler = self.handlers.get(message.type)
        if handler is None:
            self.tell(user, message.type, "this server does not know that command")
        else:
            handler(user, message)

    def refuse_stranger(self, user: User, message: Message) -> bool:
        """Say whether somebody without a name may not send this yet, and tell them so (2.1)."""
        if message.type == MessageType.NICKNAME_NEW or is_quit(message):
            return False
        self.tell(user, message.type, "please login first, with /nick <your pseudo>")
        return True

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """Tell a peer what was wrong with its bytes, before it is dropped."""
        self.tell(self.user_of[connection], MessageType.ECHO_SEND, f"protocol error: {error}")

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Forget a user who quit or was lost; the name is free again (2.3, 2.13, 3.9)."""
        user = self.user_of.pop(connection)
        del self.connection_of[user]
        self.leave_room(user)
        self.break_off_requests(user)
        self.users.free_name(user)
        self.log(f"{reason}: {user.name or 'somebody without a name'} {connection.address}")

    # One method for each type of message

    def name_user(self, user: User, message: Message) -> None:
        """Log in or rename, or refuse with a reason (2.1, 2.2, 2.4)."""
        name = clean_name(message.infos)
        reason = self.users.refuse_name(user, name)
        if reason is not None:
            self.tell(user, message.type, reason)
            return
        old_name = user.name
        self.users.take_name(user, name)
        if old_name:
            self.log(f"rename {old_name} {name}")
            self.tell_new_name(user, old_name)
            self.tell(user, message.type, f"you are {name} now", subject=name)
        else:
            self.log(f"login {name} {addresses.format_address(user.ip, user.port)}")
            self.tell(user, message.type, f"Welcome on the chat {name}", subject=name)

    def list_users(self, user: User, message: Message) -> None:
        """Tell who is logged in, the asker included (2.5)."""
        names = [other.name for other in self.users.everybody()]
        self.tell_list(user, message.type, "Online users are", names)

    def describe_user(self, user: User, message: Message) -> None:
        """Tell since when and from where somebody is connected (2.6, 2.12)."""
        other = self.find_user(user, message)
        if other is None:
            return
        self.tell(
            user,
            message.type,
            f"{other.name} connected since {other.since:%Y/%m/%d@%H:%M} "
            f"with IP address {other.ip} and port number {other.port}",
            subject=other.name,
        )

    def echo(self, user: User, message: Message) -> None:
        """Send a text back to the one it came from (2.11); a client may also quit this way."""
        if is_quit(message):
            self.dismiss(self.connection_of[user], "quit")
        else:
            self.deliver(Message(message.type, user.name, "", message.payload), [user])

    def deliver_private(self, user: User, message: Message) -> None:
        """Deliver a text to one user, under the sender's registered name (2.9)."""
        other = self.find_user(user, message)
        if other is user:
            self.tell(user, message.type, "you cannot write to yourself")
        elif other is not None:
            self.deliver(Message(message.type, user.name, other.name, message.payload), [other])

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Deliver a text to everybody but its sender, under the sender's name (2.7, 2.8)."""
        others = [other for other in self.users.everybody() if other is not user]
        self.deliver(Message(message.type, user.name, "", message.payload), others)

    def create_room(self, user: User, message: Message) -> None:
        """Create a room with its creator in it, or refuse with a reason (3.1, 3.2, 3.4)."""
        name = clean_name(message.infos)
        reason = self.rooms.refuse_name(name)
        if reason is not None:
            self.tell(user, message.type, reason)
            return
        self.leave_for_another(user)
        self.rooms.enter(user, self.rooms.create(name))
        self.log(f"room {name} created by {user.name}")
        self.tell(user, message.type, f"You have created channel {name}", subject=name)

    def list_rooms(self, user: User, message: Message) -> None:
        """Tell which rooms exist, or that there are none (3.3)."""
        names = [room.name for room in self.rooms.all_rooms()]
        if names:
            self.tell_list(user, message.type, "Channels are", names)
        else:
            self.tell(user, message.type, "There are no channels")

    def join_room(self, user: User, message: Message) -> None:
        """Let a user into a room, or refuse with a reason (3.5, 3.6)."""
        name = clean_name(message.infos)
        room = self.rooms.find(name)
        if not name:
            self.tell(user, message.type, "a channel is missing: it belongs into the infos field")
        elif room is None:
            self.tell(user, message.type, f"channel {name} does not exist")
        elif room is self.rooms.room_of(user):
            self.tell(user, message.type, f"you are in {name} already")
        else:
            self.leave_for_another(user)
            self.announce_arrival(user, room)
            self.rooms.enter(user, room)
            self.tell(user, message.type, f"You have joined {name}", subject=name)

    def quit_room(self, user: User, message: Message) -> None:
        """Let a user out of their room; the connection stays (3.5)."""
        named = clean_name(message.infos)
        room = self.rooms.room_of(user)
        if room is None:
            self.tell(user, message.type, "you are in no channel")
        elif named not in ("", room.name):
            self.tell(user, message.type, f"you are in {room.name}, not in {named}")
        else:
            destroyed = self.leave_room(user)
            self.tell(user, message.type, f"You have left {room.name}", subject=room.name)
            if destroyed:
                self.tell_destroyed(user, room)

    def say_in_room(self, user: User, message: Message) -> None:
        """Deliver a text to the members of the sender's room (3.8)."""
        named = clean_name(message.infos)
        room = self.rooms.room_of(user)
        if room is None and not named:
            self.echo(user, message)  # some clients send every text this way
        elif room is None:
            self.tell(user, message.type, "you are in no channel")
        elif named not in ("", room.name):
            self.tell(user, message.type, f"you are in {room.name}, not in {named}")
        else:
            self.deliver_to_room(user, room, message.payload)

    def forward_request(self, user: User, message: Message) -> None:
        """Ask a user to take a file, in the name of another (4.2, 4.6)."""
        other = self.find_user(user, message)
        if other is user:
            self.tell(user, message.type, "you cannot send a file to yourself")
        elif other is not None and not self.requests.add(user, other):
            self.tell(user, message.type, f"{other.name} has not answered your last requests yet")
        elif other is not None:
            self.log(f"file request {user.name} {other.name}")
            self.deliver(Message(message.type, user.name, other.name, message.payload), [other])
            self.tell(user, message.type, f"{other.name} has been asked", subject=other.name)

    def forward_answer(self, user: User, message: Message) -> None:
        """Pass on yes or no to who asked, also if called otherwise since (4.2, 4.3, 4.4)."""
        other = self.requests.answer(user, clean_name(message.infos))
        if other is None:
            other = self.find_user(user, message)
            if other is None:
                return
            # Nobody waits for this answer: then it takes back a request of the user's own.
            self.requests.withdraw(user, other)
        self.log(f"{MessageType(message.type).name.lower()} {user.name} {other.name}")
        self.deliver(Message(message.type, user.name, other.name, message.payload), [other])

    # What the handlers are made of

    def find_user(self, asker: User, message: Message) -> User | None:
        """Return the user whom a message names; if there is none, tell the asker (2.6, 2.10)."""
        name = clean_name(message.infos)
        other = self.users.find(name)
        if not name:
            self.tell(
                asker, message.type, "a user is missing: the name belongs into the infos field"
            )
        elif other is None:
            self.tell(asker, message.type, f"user {name} does not exist")
        return other

    def deliver(self, message: Message, receivers: Sequence[User]) -> None:
        """Queue a user's message for others: encoded once, however many they are."""
        frame = encode(message)
        for receiver in receivers:
            self.connection_of[receiver].queue(frame)

    def deliver_to_room(self, user: User, room: Room, payload: bytes) -> None:
        """Deliver a text to all members but its sender (3.8)."""
        others = [member for member in room.members if member is not user]
        self.deliver(Message(MessageType.MULTICAST_SEND, user.name, room.name, payload), others)

    def leave_for_another(self, user: User) -> None:
        """Take a user who goes to another room out of the present one (3.2, 3.6)."""
        room = self.rooms.room_of(user)
        if room is not None and self.leave_room(user):
            self.tell_destroyed(user, room)

    def leave_room(self, user: User) -> bool:
        """Take a user out of their room, if any; say whether the room was destroyed (3.7).

        The user may be gone already, so nothing is told to them here.
        """
        room = self.rooms.leave(user)
        if room is None:
            return False
        self.announce_departure(user, room)
        destroyed = self.rooms.destroy_if_empty(room)
        if destroyed:
            self.log(f"room {room.name} destroyed")
        return destroyed

    def announce_arrival(self, user: User, room: Room) -> None:
        """Tell the members that somebody is about to enter (3.9)."""
        self.announce(room, f"INFO> {user.name} has joined {room.name}")

    def announce_departure(self, user: User, room: Room) -> None:
        """Tell the remaining members that somebody has left (3.9)."""
        self.announce(room, f"INFO> {user.name} has quit {room.name}")

    def announce(self, room: Room, text: str) -> None:
        """Tell all members of a room something, as the server."""
        notice = Message(MessageType.MULTICAST_SEND, SERVER, room.name, text.encode())
        self.deliver(notice, room.members)

    def tell_destroyed(self, user: User, room: Room) -> None:
        """Tell the one who left last what became of the room (3.7)."""
        text = f"INFO> You were the last user in this channel, {room.name} has been destroyed"
        self.tell(user, MessageType.MULTICAST_SEND, text, subject=room.name)

    def tell_new_name(self, user: User, old_name: str) -> None:
        """Tell those with a file request from or to a user what the user is called now."""
        text = f"{old_name} is {user.name} now".encode()
        notice = Message(MessageType.NICKNAME_NEW, old_name, user.name, text)
        self.deliver(notice, list(dict.fromkeys(self.requests.counterparts(user))))

    def break_off_requests(self, user: User) -> None:
        """Tell those with a file request from or to a user that the user has left."""
        for other in self.requests.counterparts(user):
            text = f"{user.name} has left".encode()
            self.deliver(Message(MessageType.FILE_REJECT, user.name, other.name, text), [other])
        self.requests.forget(user)

    def tell(self, user: User, kind: int, text: str, *, subject: str = "") -> None:
        """Answer `user` as the server. `subject` repeats what was granted; empty: refused."""
        frame = encode(Message(kind, SERVER, subject, text.encode()))
        self.connection_of[user].queue(frame)

    def tell_list(self, user: User, kind: int, title: str, names: Sequence[str]) -> None:
        """Answer with one name per line; a list too long for one text comes in several."""
        lines = [title, *(f"  - {name}" for name in names)]
        per_text = MAX_TEXT // max(len(line) + 1 for line in lines)
        for start in range(0, len(lines), per_text):
            self.tell(user, kind, "\n".join(lines[start : start + per_text]))


def is_quit(message: Message) -> bool:
    """Say whether a message is a typed /quit: some clients send it as a text."""
    return message.type == MessageType.ECHO_SEND and message.payload.strip(b"\r\n\0 ") == QUIT


def main(argv: Sequence[str]) -> int:
    """Run the server as the command line says, until Ctrl-C. Raises UserError."""
    parser = server_parser(__doc__.splitlines()[0])
    parser.add_argument("--poller", choices=poller.KINDS, default=poller.KINDS[0])
    args = parser.parse_args(argv)
    listeners = addresses.listen(args.host, addresses.parse_port(args.port))
    server = ChatServer(listeners, Log(quiet=args.quiet), poller_kind=args.poller)
    try:
        ending = catch_end_signals()
        print(invitation(__file__, args.host, listeners[0].getsockname()[1]), flush=True)
        server.run(ending)
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main, sys.argv[1:]))
