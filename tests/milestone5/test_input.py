"""5.12: malformed input harms nobody else, and before login nothing works.

The offences are raw bytes, so that they need no dialect; the judges sit at terminals.
"""

from __future__ import annotations

import json

import pytest

from tests.every import harms_nobody_else, still_served
from tests.harness.chat import Chat
from tests.harness.failures import Missing, NotReady, Waived
from tests.harness.json_wire import JSONUser, login_object, object_for, password_of
from tests.harness.marks import on_terminal, requirement
from tests.harness.wire import Wire
from tests.milestone5.steps import departs, reaches, recorded, takes_part

LOGIN = json.dumps(login_object("mallory", password_of("mallory"))).encode()

OFFENCES = {
    "text that is no JSON": b"hello there\n",
    "bytes that are no UTF-8": b'{"command": "login", "username": "\xff\xfe\xc3"}',
    "half an object": LOGIN[:31],
    "half a string": b'{"command": "log',
    "a closing brace": b"}}}",
    "an empty object": b"{}",
    "null": b"null",
    "a number": b"4711\n",
    "a list": b'["login", "mallory"]',
    "a command that is a number": b'{"command": 7}',
    "a command that is a list": b'{"command": ["login"]}',
    "an unknown command": b'{"command": "fly"}',
    "a login without anything": b'{"command": "login"}',
    "a number for a name": b'{"command": "login", "username": 4711, "password": "x"}',
    "an object for a name": b'{"command": "login", "username": {}, "password": "x"}',
    "a list for a password": b'{"command": "login", "username": "mallory", "password": [1]}',
    "an empty name": b'{"command": "login", "username": "", "password": "x"}',
    "NaN": b'{"command": NaN, "username": Infinity}',
    "a key that stands there twice": b'{"command": "login", "command": "EX", "username": "eve"}',
    "lists 10,000 deep": b'{"command": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a name of 100,000 letters": json.dumps(login_object("m" * 100_000, "x")).encode(),
    "an object of a megabyte": b'{"command": "' + b"x" * (1 << 20) + b'"}',
    "a megabyte without an end": b'{"command": "' + b"x" * (1 << 20),
}

FROM_A_USER = {
    "a PM without a message": {"command": "PM"},
    "a number for a message": {"command": "PM", "message": 4711},
    "a list for a message": {"command": "PM", "message": ["a", {"b": None}]},
    "an empty message": {"command": "PM", "message": ""},
    "half a surrogate pair": {"command": "PM", "message": "\ud83d"},
    "control characters": {"command": "PM", "message": "a\0b\r\nc\x1b[2Jd"},
    "a message of 200,000 letters": {"command": "PM", "message": "m" * 200_000},
    "a DM without a receiver": {"command": "DM", "message": "hello"},
    "a list for a receiver": {"command": "DM", "to": ["bob"], "message": "hello"},
    "null for a receiver": {"command": "DM", "to": None, "message": "hello"},
    "a second login": login_object("mallory", password_of("mallory")),
    "a login under another name": login_object("bob", "x"),
}


@requirement("5.12", stages=on_terminal)
@pytest.mark.parametrize("offence", OFFENCES)
def test_malformed_input_harms_nobody_else(chat: Chat, offence: str) -> None:
    """Malformed, unknown or oversized input harms no other user."""
    harms_nobody_else(chat, offence, OFFENCES[offence])


@requirement("5.12", stages=on_terminal)
@pytest.mark.parametrize("offence", FROM_A_USER)
def test_malformed_input_of_a_user_harms_nobody_else(chat: Chat, offence: str) -> None:
    """Malformed, unknown or oversized input of somebody who has logged in harms no other user."""
    alice, bob = chat.users("alice", "bob")
    mallory = chat.stranger("mallory")
    chat.acts("mallory", "logs in")
    mallory.send_all(LOGIN + b"\n")
    chat.settle()
    chat.acts("mallory", f"sends {offence}")
    mallory.send_all(json.dumps(FROM_A_USER[offence]).encode() + b"\n")
    still_served(chat, alice, bob, offence)


@requirement("5.12")
def test_a_long_message_arrives(chat: Chat) -> None:
    """Messages of up to 900 characters are not oversized."""
    alice, bob = chat.users("alice", "bob")
    takes_part(alice, bob)
    reaches(alice, bob)
    text = chat.token() + "x" * 876 + chat.token()
    alice.types(f"PM\n{text}")
    bob.sees(text)


@requirement("5.12")
def test_nothing_works_before_login(chat: Chat) -> None:
    """Before login no other command has any effect."""
    alice, bob = chat.users("alice", "bob")
    takes_part(alice, bob)
    mallory = chat.stranger("mallory")
    texts = chat.token(), chat.token()
    for typed in (f"PM\n{texts[0]}", f"DM\nbob\n{texts[1]}", "WHO"):
        chat.settle()
        chat.acts("mallory", f"sends {json.dumps(object_for(typed))} before logging in")
        before = mallory.received.total
        mallory.send_all(json.dumps(object_for(typed)).encode() + b"\n")
        chat.settle()
    said = mallory.received.since(before)
    chat.forbid(
        b"alice" in said and b"bob" in said,
        "who has not logged in is not told who is there",
        f"What came: `{said.decode('utf-8', 'replace').strip()[:300]}`.",
    )
    for text in texts:
        alice.sees_nothing_of(text, "alice gets nothing from somebody who has not logged in")
        bob.sees_nothing_of(text, "bob gets nothing from somebody who has not logged in")


@requirement("5.12", stages=on_terminal)
def test_nothing_works_before_login_in_any_dialect(chat: Chat) -> None:
    """Before login no other command has any effect: not even the bytes with which a client that
    had logged in sent a message."""
    bob = chat.user("bob")
    alice, relay = recorded(chat, "alice")
    takes_part(bob, alice)
    reaches(alice, bob)
    chat.settle()
    before = len(relay.from_client)
    text, again = chat.token(), chat.token()
    alice.types(f"PM\n{text}")
    bob.sees(text)
    chat.settle()
    words = relay.from_client[before:]
    departs(alice)
    mallory = chat.stranger("mallory")
    chat.acts("mallory", "sends what alice's client sent for a PM, without logging in")
    mallory.send_all(words.replace(text.encode(), again.encode()))
    bob.sees_nothing_of(again, "bob gets nothing from somebody who has not logged in")


@requirement("5.12")
def test_ex_works_before_login(chat: Chat) -> None:
    """EX works before login, too: the server closes the connection."""
    words = json.dumps(object_for("EX")).encode() + b"\n"
    if chat.stage == "terminal":
        bob = chat.user("bob")
        alice, relay = recorded(chat, "alice")
        takes_part(bob, alice)
        login = relay.from_client
        alice.types("EX")
        chat.settle()
        words = relay.from_client[len(login) :]
        if not words:
            raise Waived("the client sends nothing for EX, it just closes")
        user = chat.stranger("a user")
        user.send_all(login)
    else:
        bob, alice = chat.users("bob", "alice")
        takes_part(bob, alice)
        assert isinstance(alice, JSONUser)
        user = alice.wire
    chat.settle()
    if not closes_after(chat, "a user", user, words):
        raise NotReady(("5.9",), "the server closes after the EX of a user", chat.what_ended())
    newcomer = chat.stranger("a newcomer")
    expected = "the server closes after the EX of somebody who has not logged in"
    chat.expect(expected)
    if not closes_after(chat, "a newcomer", newcomer, words):
        raise Missing(expected, f"It is still open. {chat.what_ended()}".strip())


def closes_after(chat: Chat, who: str, wire: Wire, words: bytes) -> bool:
    """Send the bytes of an EX; True when the server closes."""
    chat.settle()
    chat.acts(who, "sends EX")
    wire.send_all(words)
    return chat.wait_for(lambda: bool(wire.ended))
