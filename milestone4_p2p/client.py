#!/usr/bin/env python3
"""Milestone 4's client: commands become frames, and frames become lines on the screen.

`common.client` waits for keyboard and server alike. This file says what a typed line means, one
method for each command, and how a message looks. Files have a file of their own: exchange.py.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

# Run as a script, Python looks for modules beside this file; ours are one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import addresses
from common.client import CONNECT_TIMEOUT, FrameClient
from common.colours import Look
from common.commandline import client_parser
from common.completion import completions, guess
from common.console import Console
from common.editing_console import open_console
from common.errors import exit_status
from common.framing import INFOS_LEN, MAX_TEXT, Message, MessageType
from common.signals import catch_end_signals
from milestone4_p2p.exchange import REQUEST_TIMEOUT, FileExchange
from milestone4_p2p.transfer import STALL
from milestone4_p2p.users import SERVER

FILE_MESSAGES = (MessageType.FILE_REQUEST, MessageType.FILE_ACCEPT, MessageType.FILE_REJECT)
"""Types of the messages that users send each other about files."""
ROOM_CHANGES = (
    MessageType.MULTICAST_CREATE,
    MessageType.MULTICAST_JOIN,
    MessageType.MULTICAST_QUIT,
)
"""Types of the replies that tell which room we are in."""
UNNAMED = (MessageType.NICKNAME_LIST, MessageType.MULTICAST_LIST, MessageType.ECHO_SEND)
"""Types of what the server says about nothing in particular: empty `infos` is no refusal."""
LISTED = re.compile(r"^  - (\w+)$", re.MULTILINE)
ANNOUNCED = re.compile(r"^INFO> (\w+) has")
SEND_HELP = """\
    The user is asked first, and may say no. The file goes straight to their inbox/ folder; the
    chat goes on meanwhile. The path may have blanks in it, and ~ for your home; Tab completes it.
    For example: /send bob ~/holiday photo.jpg"""


class Command(NamedTuple):
    """A command that users type: how it is written, what for, and what it does."""

    usage: str  # <needed> and [optional] words; the last one takes the rest of the line
    purpose: str
    run: Callable[..., None]
    details: str = ""  # more than a line has room for


class ChatClient(FrameClient):
    """One user's view of the chat."""

    def __init__(
        self,
        sock: socket.socket,
        console: Console,
        *,
        request_timeout: float = REQUEST_TIMEOUT,
        stall: float = STALL,
    ) -> None:
        super().__init__(sock, console)
        self.files = FileExchange(self, request_timeout=request_timeout, stall=stall)
        self.name = ""  # as the server granted it
        self.asked_name: str | None = None  # asked for, and not refused so far
        self.waits_for_files = False  # before we leave: the input has ended
        self.room = ""  # as the server granted it; empty: in none
        self.asked_room: str | None = None  # asked for, and not refused so far; empty: to leave
        # Our own server repeats in `infos` what it granted. Others may not: then we believe that
        # all our wishes come true.
        self.server_is_clear = False
        self.commands = self.make_commands()
        self.seen: dict[str, set[str]] = {"user": set(), "room": set()}  # what Tab offers
        self.seen["command"] = {word[1:] for word in self.commands}
        usages = [command.usage for command in self.commands.values()]
        console.complete = lambda start: completions(start, usages, self.seen)

    def make_commands(self) -> dict[str, Command]:
        """Return the commands by their first word."""
        commands = [
            Command("/nick <name>", "take a name, or change it", self.ask_name),
            Command("/who", "list the users", self.ask_users),
            Command("/whois <user>", "tell about a user", self.ask_about),
            Command("/whoami", "tell about yourself", self.ask_about_self),
            Command("/msg <user> <text>", "write to one user", self.send_private),
            Command("/msgall <text>", "write to all users", self.send_to_all),
            Command("/create <room>", "create a channel and enter it", self.create_room),
            Command("/channel_list", "list the channels", self.ask_rooms),
            Command("/join <room>", "enter a channel", self.join_room),
            Command("/send <user> <path>", "send a file to a user", self.send_file, SEND_HELP),
            Command("/quit [room]", "leave the channel; outside, leave the chat", self.quit),
            Command("/help [command]", "list these commands, or explain one", self.show_help),
        ]
        return {command.usage.split()[0]: command for command in commands}

    # Keyboard to server

    def typed(self, line: str) -> None:
        """Run a command, answer a question, or send a text; an empty line does nothing."""
        if line.startswith("/"):
            self.run_command(line)
        elif line and self.files.questions:
            self.files.answer(line)
        elif line:
            self.send_text(line)

    def run_command(self, line: str) -> None:
        """Run what the first word says, with the words that its usage names."""
        word, _, rest = line.partition(" ")
        command = self.commands.get(word)
        if command is None:
            known = " ".join(self.commands)
            meant = guess(word, self.commands)
            self.console.complain(f"unknown command {word[:40]}; there are {known}{meant}")
            return
        most = len(command.usage.split()) - 1
        words = rest.split(maxsplit=most - 1) if most else []
        if len(words) < command.usage.count("<"):
            self.console.complain(f"usage: {command.usage}")
        else:
            command.run(*words)

    def ask_name(self, name: str) -> None:
        """Log in or change the name (2.1, 2.4)."""
        if self.request(MessageType.NICKNAME_NEW, name):
            self.asked_name = name

    def ask_users(self) -> None:
        """Ask who is there (2.5)."""
        self.request(MessageType.NICKNAME_LIST)

    def ask_about(self, name: str) -> None:
        """Ask since when and from where a user is connected (2.6)."""
        self.request(MessageType.NICKNAME_INFOS, name)

    def ask_about_self(self) -> None:
        """Ask the same about oneself (2.12)."""
        self.request(MessageType.NICKNAME_INFOS, self.own_name())

    def send_private(self, name: str, text: str) -> None:
        """Write to one user (2.9)."""
        self.request(MessageType.UNICAST_SEND, name, text)

    def send_to_all(self, text: str) -> None:
        """Write to all other users (2.7)."""
        self.request(MessageType.BROADCAST_SEND, "", text)

    def send_text(self, text: str) -> None:
        """Send a text without a command: to the room (3.8), or to be echoed (2.11)."""
        room = self.own_room()
        kind = MessageType.MULTICAST_SEND if room else MessageType.ECHO_SEND
        self.request(kind, room, text)

    def create_room(self, room: str) -> None:
        """Create a room and enter it (3.1)."""
        if self.request(MessageType.MULTICAST_CREATE, room):
            self.asked_room = room

    def ask_rooms(self) -> None:
        """Ask which rooms exist (3.3)."""
        self.request(MessageType.MULTICAST_LIST)

    def join_room(self, room: str) -> None:
        """Enter a room (3.5)."""
        if self.request(MessageType.MULTICAST_JOIN, room):
            self.asked_room = room

    def send_file(self, name: str, path: str) -> None:
        """Offer a file to a user (4.1)."""
        self.files.offer(name, path)

    def quit(self, room: str = "") -> None:
        """Leave the room; outside, say goodbye and leave the chat (2.13, 3.5)."""
        present = self.own_room()
        if room or present:
            self.request(MessageType.MULTICAST_QUIT, room or present)
            if room in ("", present):
                self.asked_room = ""
        else:
            self.console.show("Goodbye.")
            self.leave()

    def show_help(self, word: str = "") -> None:
        """List the commands, or explain one."""
        width = max(len(command.usage) for command in self.commands.values())
        chosen = self.commands.get("/" + word.strip(" /"))
        for command in [chosen] if chosen else self.commands.values():
            self.console.show(f"  {command.usage:<{width}}  {command.purpose}")
        if chosen and chosen.details:
            self.console.show(chosen.details)

    def own_name(self) -> str:
        """Return the name we go by, as far as we know."""
        return self.name if self.asked_name is None else self.asked_name

    def own_room(self) -> str:
        """Return the room we are in, as far as we know; empty: in none."""
        return self.room if self.asked_room is None else self.asked_room

    def request(self, kind: MessageType, infos: str = "", text: str = "") -> bool:
        """Send a message, or say what is too long for it and return False."""
        payload = text.encode("utf-8", "surrogateescape")
        nick = self.own_name()
        if len(payload) > MAX_TEXT:
            self.console.complain(f"too long: {len(payload)} bytes, at most {MAX_TEXT} can be sent")
            return False
        if len(infos.encode("utf-8", "replace")) >= INFOS_LEN or "\0" in infos:
            self.console.complain(f"impossible name: at most {INFOS_LEN - 1} bytes, no NUL")
            return False
        self.send(Message(kind, nick, infos, payload))
        return True

    # Server to screen

    def received(self, message: Message) -> None:
        """Note what a message tells about ourselves or our files, then show it."""
        self.note_name(message)
        self.note_room(message)
        self.note_seen(message)
        text = "" if self.take_file_message(message) else displayed(message)
        if text:
            self.console.show(text, self.look_of(message))

    def look_of(self, message: Message) -> Look:
        """Return how a message looks: what the server tells, and what it refuses, stand out."""
        if message.nick_sender != SERVER:
            return Look.CHAT
        refused = self.server_is_clear and not message.infos and message.type not in UNNAMED
        return Look.ERROR if refused else Look.NOTICE

    def note_name(self, message: Message) -> None:
        """Learn from a reply which name we have."""
        if message.type == MessageType.NICKNAME_NEW and message.nick_sender == SERVER:
            if message.infos:
                self.server_is_clear = True
                self.name = message.infos
            if self.server_is_clear:
                self.asked_name = None

    def note_room(self, message: Message) -> None:
        """Learn from a reply which room we are in."""
        if message.type in ROOM_CHANGES and message.nick_sender == SERVER and self.server_is_clear:
            left = message.type == MessageType.MULTICAST_QUIT
            room = "" if left else message.infos
            if message.infos:
                self.room = room
            if not message.infos or room == self.asked_room:
                self.asked_room = None

    def note_seen(self, message: Message) -> None:
        """Remember the users and rooms that a message names, for the Tab key."""
        if message.nick_sender != SERVER:
            self.seen["user"].add(message.nick_sender.strip())
        elif message.type == MessageType.NICKNAME_LIST:
            self.seen["user"].update(LISTED.findall(message.text))
        elif message.type == MessageType.MULTICAST_LIST:
            self.seen["room"].update(LISTED.findall(message.text))
        elif message.type == MessageType.MULTICAST_SEND:
            self.seen["user"].update(ANNOUNCED.findall(message.text))
        if message.type in ROOM_CHANGES:
            self.seen["room"].update([message.infos] if message.infos else [])

    def take_file_message(self, message: Message) -> bool:
        """Act on what a message tells about files; say whether that was all of it."""
        nick = message.nick_sender
        from_server = nick == SERVER or (nick == "" and self.server_is_clear)
        if message.type == MessageType.FILE_REQUEST and from_server:
            self.files.confirmed(message)
        elif message.type == MessageType.FILE_REQUEST:
            self.files.asked(message)
        elif message.type == MessageType.FILE_ACCEPT and not from_server:
            self.files.accepted(message)
        elif message.type == MessageType.FILE_REJECT and not from_server:
            self.files.rejected(message)
        elif message.type == MessageType.NICKNAME_NEW and not from_server:
            self.files.renamed(message.nick_sender, message.infos)
        return message.type in FILE_MESSAGES and not from_server

    def deadline(self) -> float | None:
        """Return when a request or a transfer has waited long enough."""
        return self.files.deadline()

    def on_time(self) -> None:
        """Look after requests and transfers that have waited too long."""
        self.files.on_time()

    def input_ended(self) -> None:
        """Leave, but not before the files that are under way."""
        self.files.reject_all()
        self.waits_for_files = True

    def turn_ended(self) -> None:
        """Show how far the files are; leave when the last one is done and nobody types."""
        self.files.tidy()
        if self.waits_for_files and not self.files.active():
            self.waits_for_files = False
            self.leave(patiently=True)

    def close(self) -> None:
        """Break off what is under way, then close as usual."""
        self.files.close()
        super().close()

    def prompt(self) -> str:
        """Return the prompt, which shows the state: nameless, named, or in a room."""
        return f"{self.name}[{self.room}]> " if self.room else f"{self.name}> "


def displayed(message: Message) -> str:
    """Return how a message looks: `[sender] : text`, unless the text says itself who speaks."""
    text = (message.text or message.infos).rstrip("\0\r\n ")
    nick = message.nick_sender.strip()
    if nick and nick != SERVER:
        # A text of several lines must not look like several messages.
        text = text.replace("\n", "\n    ")
    if not text or not nick or names_sender(text, nick):
        return text
    return f"[{nick}] : {text}"


def names_sender(text: str, nick: str) -> bool:
    """Say whether a text begins with its sender's name already: some servers put it there."""
    if nick == SERVER and text.startswith("INFO>"):
        return True
    return re.match(rf"\[ ?{re.escape(nick)} ?\]|{re.escape(nick)} ?:", text) is not None


def main(argv: Sequence[str]) -> int:
    """Run the client as the command line says. Raises UserError."""
    parser = client_parser(__doc__.splitlines()[0])
    parser.add_argument("--timestamps", action="store_true", help="show when each line came")
    parser.add_argument("--request-timeout", type=float, default=REQUEST_TIMEOUT, metavar="S")
    parser.add_argument("--stall-timeout", type=float, default=STALL, metavar="S")
    args = parser.parse_args(argv)
    sock = addresses.connect(args.host, addresses.parse_port(args.port), CONNECT_TIMEOUT)
    client = ChatClient(
        sock,
        open_console(timestamps=args.timestamps),
        request_timeout=args.request_timeout,
        stall=args.stall_timeout,
    )
    try:
        client.run(catch_end_signals())
    finally:
        client.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main, sys.argv[1:]))
