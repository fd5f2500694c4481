"""The conversations: who types what, and what must then stand on whose screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple


class Step(NamedTuple):
    """Somebody types a line; the play goes on when everybody in `seen` has seen their text."""

    who: str
    line: str
    seen: Mapping[str, str]
    hidden: bool = False  # a password: the terminal does not show it
    ends: bool = False  # the typist's program ends


class Script(NamedTuple):
    """A milestone's play: its package, the steps, how a client begins, the actors' files."""

    package: str
    steps: Sequence[Step]
    banner: str = "please login"  # what every client shows when it is ready
    prompts: bool = True
    files: Mapping[str, Mapping[str, bytes]] = MappingProxyType({})


M1 = Script(
    "milestone1_echo",
    [
        Step("alice", "Hello, Server!", {"alice": "Message received: Hello, Server!"}),
        Step("bob", "Does anybody hear me?", {"bob": "Message received: Does"}),
        Step("alice", "only I: \\o/ été", {"alice": "Message received: only I"}),
        Step("alice", "/quit", {}, ends=True),
        Step("bob", "still here", {"bob": "Message received: still here"}),
        Step("bob", "/quit", {}, ends=True),
    ],
    banner="",
    prompts=False,
)

M2 = Script(
    "milestone2_users",
    [
        Step("alice", "hello?", {"alice": "login first"}),
        Step("alice", "/nick alice", {"alice": "Welcome on the chat alice"}),
        Step("bob", "/nick alice", {"bob": "in use"}),
        Step("bob", "/nick bob", {"bob": "Welcome on the chat bob"}),
        Step("carol", "/nick carol", {"carol": "Welcome on the chat carol"}),
        Step("alice", "/who", {"alice": "- carol"}),
        Step("alice", "/msgall Good morning!", {"bob": "Good morning!", "carol": "Good morning!"}),
        Step("bob", "/msg alice Only you can read this.", {"alice": "Only you can read this."}),
        Step("bob", "/msg dave Are you there?", {"bob": "user dave does not exist"}),
        Step("carol", "/whois alice", {"carol": "alice connected since"}),
        Step("carol", "/quit", {"carol": "Goodbye."}, ends=True),
        Step("alice", "/who", {"alice": "- bob"}),
    ],
)

M3 = Script(
    "milestone3_rooms",
    [
        Step("alice", "/nick alice", {"alice": "Welcome on the chat alice"}),
        Step("bob", "/nick bob", {"bob": "Welcome on the chat bob"}),
        Step("carol", "/nick carol", {"carol": "Welcome on the chat carol"}),
        Step("alice", "/create tea", {"alice": "You have created channel tea"}),
        Step("bob", "/channel_list", {"bob": "- tea"}),
        Step("bob", "/join tea", {"bob": "You have joined tea", "alice": "bob has joined tea"}),
        Step("bob", "Milk or lemon?", {"alice": "Milk or lemon?"}),
        Step("carol", "Does anybody hear me?", {"carol": "[carol] : Does anybody hear me?"}),
        Step("carol", "/msg bob Where are you?", {"bob": "Where are you?"}),
        Step("alice", "/quit", {"alice": "You have left tea", "bob": "alice has quit tea"}),
        Step("bob", "/quit", {"bob": "tea has been destroyed"}),
        Step("bob", "/join tea", {"bob": "channel tea does not exist"}),
        Step("bob", "/quit", {"bob": "Goodbye."}, ends=True),
    ],
)

M4 = Script(
    "milestone4_p2p",
    [
        Step("alice", "/nick alice", {"alice": "Welcome on the chat alice"}),
        Step("bob", "/nick bob", {"bob": "Welcome on the chat bob"}),
        Step("alice", "/send bob missing.txt", {"alice": "no such file"}),
        Step("alice", "/send dave plan.txt", {"alice": "user dave does not exist"}),
        Step("alice", '/send bob "plan.txt"', {"alice": "asked", "bob": "[Y/N]"}),
        Step("bob", "/msg alice What is in it?", {"alice": "What is in it?"}),
        Step("bob", "n", {"alice": "bob cancelled file transfer."}),
        Step("alice", "/msg bob A plan, of course.", {"bob": "A plan, of course."}),
        Step("alice", "/send bob plan.txt", {"alice": "asked", "bob": "[Y/N]"}),
        Step("bob", "y", {"bob": "saved in inbox", "alice": "bob has received the file."}),
    ],
    files={"alice": {"plan.txt": b"1. Make tea.\n2. Drink it.\n"}},
)

PASSWORDS = {"alice": "correct-horse", "bob": "battery-staple"}

M5 = Script(
    "milestone5_threads",
    [
        Step("alice", "alice", {"alice": "assword"}),
        Step("alice", PASSWORDS["alice"], {"alice": "logged in as alice"}, hidden=True),
        Step("bob", "alice", {"bob": "assword"}),
        Step("bob", "guessed", {"bob": "Error"}, hidden=True),
        Step("bob", "bob", {"bob": "assword"}),
        Step(
            "bob",
            PASSWORDS["bob"],
            {"bob": "logged in as bob", "alice": "alice, bob"},
            hidden=True,
        ),
        Step("bob", "PM Good morning!", {"bob": "sent", "alice": "Good morning!"}),
        Step(
            "alice",
            "DM bob Only you can read this.",
            {"alice": "sent", "bob": "Only you can read this."},
        ),
        Step("alice", "DM dave Are you there?", {"alice": "dave"}),
        Step("bob", "WHO", {"bob": "Active users: alice, bob"}),
        Step("bob", "EX", {"alice": "Active users: alice"}, ends=True),
    ],
    banner="Log in",
)

SCRIPTS = {"m1": M1, "m2": M2, "m3": M3, "m4": M4, "m5": M5}
