"""5.1: messages are JSON objects, whatever way TCP cuts or joins the bytes.

Of the names in an object only those of the login and of the broadcast are fixed, so the wire cases
speak of nothing else. The terminal cases look at, or cut, the bytes between the submission's own
two programs, whatever names these use.
"""

from __future__ import annotations

import json

import pytest

from tests.harness.chat import Chat
from tests.harness.failures import Missing
from tests.harness.json_wire import (
    JSONUser,
    JSONWire,
    login_object,
    object_for,
    password_of,
    words_in,
)
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.milestone5.steps import is_known, reaches, recorded, takes_part


def public(text: str, *, ascii_only: bool = True) -> bytes:
    """A PM, with nothing before or behind it."""
    return json.dumps(object_for(f"PM\n{text}"), ensure_ascii=ascii_only).encode()


def json_users(chat: Chat, *names: str) -> list[JSONUser]:
    """Users who speak JSON."""
    users = chat.users(*names)
    return [user for user in users if isinstance(user, JSONUser)]


def is_made_of_objects(wire: JSONWire, whose: str) -> None:
    """All that came so far is whole JSON objects."""
    expected = f"{whose} come as JSON objects, one after another"
    if wire.garbled or wire.rest or not wire.values:
        why = wire.garbled or (f"`{wire.rest[:200]}` is no whole object" if wire.rest else "")
        raise Missing(expected, f"{why or 'Nothing came'}.")
    odd = [value for _, value in wire.values if not isinstance(value, dict)]
    if odd:
        raise Missing(expected, f"A list came: `{json.dumps(odd[0])[:200]}`.")


@requirement("5.1", stages=on_wire)
def test_answers_are_objects(chat: Chat) -> None:
    """What the server sends is JSON objects, with at most blanks between them."""
    alice, bob = json_users(chat, "alice", "bob")
    takes_part(alice, bob)
    alice.types(f"PM\n{chat.token()}")
    chat.settle()
    is_made_of_objects(alice.wire, "the server's answers")
    is_made_of_objects(bob.wire, "the server's messages")


@requirement("5.1", stages=on_wire)
def test_a_broadcast_is_one_object(chat: Chat) -> None:
    """A PM arrives as one object of the type `broadcast`, with its sender and its text."""
    alice, bob = json_users(chat, "alice", "bob")
    text = chat.token()
    alice.types(f"PM\n{text}")
    bob.sees(text)
    arrived = [list(words_in(value)) for _, value in bob.wire.values]
    words = next((words for words in arrived if text in words), None)
    if words is None:
        raise Missing("the text is a string of its own in an object", "It came otherwise.")
    chat.require("broadcast" in words, "the object says `broadcast`", f"It holds {words}.")
    chat.require("alice" in words, "the object names its sender", f"It holds {words}.")


PLACES = {
    "after-one-byte": 1,
    "in-a-key": 4,
    "behind-a-key": 10,
    "in-the-command": 14,
    "before-the-message": -26,
    "in-the-message": -8,
    "before-the-last-brace": -1,
}


@requirement("5.1", stages=on_wire)
@pytest.mark.parametrize("place", PLACES)
def test_an_object_cut_in_two(chat: Chat, place: str) -> None:
    """An object that arrives in two pieces is one message, wherever it was cut."""
    alice, bob = json_users(chat, "alice", "bob")
    text = chat.token()
    data, cut = public(text), PLACES[place]
    chat.acts("alice", f"sends a PM in two pieces: `{data[:cut].decode()}` and the rest")
    alice.wire.send_in_pieces(data[:cut], data[cut:])
    bob.sees(text)


@requirement("5.1", stages=on_wire)
def test_an_object_byte_by_byte(chat: Chat) -> None:
    """An object that arrives in single bytes is one message, also between the bytes of one
    letter."""
    alice, bob = json_users(chat, "alice", "bob")
    text = f"{chat.token()} é漢🙂"
    chat.acts("alice", "sends a PM byte by byte")
    alice.wire.send_byte_by_byte(public(text, ascii_only=False))
    bob.sees(text)


@requirement("5.1", stages=on_wire)
def test_a_login_byte_by_byte(chat: Chat) -> None:
    """A login that arrives in single bytes is one login."""
    bob = chat.user("bob")
    alice = chat.newcomer("alice")
    assert isinstance(alice, JSONUser)
    chat.acts("alice", "sends a login byte by byte")
    login = login_object("alice", password_of("alice"))
    alice.wire.send_byte_by_byte(json.dumps(login).encode())
    chat.require(is_known(bob, alice), "alice is logged in")


SEPARATORS = {"nothing": b"", "a-blank": b" ", "a-newline": b"\n", "blanks": b"\r\n \t\n"}


@requirement("5.1", stages=on_wire)
@pytest.mark.parametrize("between", SEPARATORS)
def test_objects_joined(chat: Chat, between: str) -> None:
    """Several objects in one segment are several messages, whatever blanks are between them."""
    alice, bob = json_users(chat, "alice", "bob")
    texts = [chat.token() for _ in range(5)]
    chat.acts("alice", f"sends 5 PMs in one segment, with {between} between them")
    alice.wire.send(SEPARATORS[between].join(public(text) for text in texts))
    for text in texts:
        bob.sees(text)


@requirement("5.1", stages=on_wire)
def test_one_object_and_a_half(chat: Chat) -> None:
    """An object and half of the next in one segment, then the rest, are two messages."""
    alice, bob = json_users(chat, "alice", "bob")
    first, second = chat.token(), chat.token()
    data = public(first) + public(second)
    cut = len(data) - 20
    chat.acts("alice", "sends a PM and half of the next, then the rest")
    alice.wire.send_in_pieces(data[:cut], data[cut:])
    bob.sees(first)
    bob.sees(second)


@requirement("5.1", stages=on_wire)
def test_any_form_of_json_is_understood(chat: Chat) -> None:
    """An object may have its keys in another order, blanks and newlines inside, and letters
    escaped."""
    alice, bob = json_users(chat, "alice", "bob")
    texts = chat.token(), chat.token()
    chat.acts("alice", "sends a PM spread over lines, and one with escaped letters")
    alice.wire.send_in_pieces(
        b'{\n  "message" :\n\t"%b",\r\n  "command" : "PM"\n}' % texts[0].encode(),
        b'{"command":"P\\u004d","message":"%b"}'
        % "".join(f"\\u{ord(letter):04x}" for letter in texts[1]).encode(),
    )
    for text in texts:
        bob.sees(text)


TEXTS = {
    "brackets": '{} }}{{"][ {{"command": "EX"}}',
    "backslashes": r"{} \ \" \n \u0041 %s%n",
    "utf-8": "{} éàü 漢字 🙂",
    "900-accents": "{}" + "é" * 888,
}


@requirement("5.1")
@pytest.mark.parametrize("kind", TEXTS)
def test_texts_arrive_unchanged(chat: Chat, kind: str) -> None:
    """Texts of up to 900 characters arrive unchanged, whatever stands in them."""
    alice, bob = chat.users("alice", "bob")
    text = TEXTS[kind].format(chat.token())
    if len(text) > 500:
        reaches(alice, bob, "x" * 888, promised_by="5.12")
    alice.types(f"PM\n{text}")
    bob.sees(text)


# -- the submission's own two programs ---------------------------------------------------------


@requirement("5.1", stages=on_terminal)
def test_the_client_sends_objects(chat: Chat) -> None:
    """What the client sends is JSON objects; the first of them is a login."""
    bob = chat.user("bob")
    alice, relay = recorded(chat, "alice")
    takes_part(bob, alice)
    text = chat.token()
    alice.types(f"PM\n{text}")
    bob.sees(text)
    chat.settle()
    values = values_in(relay.from_client, "what the client sends")
    logins = [v for v in values if str(v.get("command", "")).lower() == "login"]
    fields = {"username": "alice", "password": password_of("alice")}
    for field, wanted in fields.items():
        chat.require(
            any(login.get(field) == wanted for login in logins),
            f"an object of the client has `command`: `login` and a `{field}`",
            f"It sent {json.dumps(values)[:300]}.",
        )
    chat.require(
        any(text in words_in(value) for value in values),
        "an object of the client holds the text of a PM",
        f"It sent {json.dumps(values)[:300]}.",
    )


@requirement("5.1", stages=on_terminal)
def test_the_server_sends_objects(chat: Chat) -> None:
    """What the server sends to the submission's own client is JSON objects."""
    bob = chat.user("bob")
    alice, relay = recorded(chat, "alice")
    takes_part(bob, alice)
    text = chat.token()
    bob.types(f"PM\n{text}")
    alice.sees(text)
    chat.settle()
    values = values_in(relay.from_server, "what the server sends")
    chat.require(
        any("broadcast" in words and text in words for words in map(list, map(words_in, values))),
        "a PM reaches the client as an object that says `broadcast` and holds its text",
        f"It sent {json.dumps(values)[-300:]}.",
    )


def values_in(data: bytes, whose: str) -> list[dict[str, object]]:
    """The JSON objects that these bytes are. Raises Missing."""
    expected = f"{whose} is JSON objects, one after another"
    text = data.decode("utf-8", "replace").lstrip()
    values = []
    while text:
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            raise Missing(expected, f"This is none: `{text[:200]}`.") from None
        if not isinstance(value, dict):
            raise Missing(expected, f"This is none: `{json.dumps(value)[:200]}`.")
        values.append(value)
        text = text[end:].lstrip()
    if not values:
        raise Missing(expected, "There was nothing.")
    return values


@requirement("5.1", stages=on_terminal)
@pytest.mark.parametrize("whom", ["client", "server"])
def test_the_own_programs_byte_by_byte(chat: Chat, whom: str) -> None:
    """Client and server understand each other when the bytes come one by one."""
    bob = chat.user("bob")
    alice, proxy = chat.user_behind_proxy("alice")
    proxy.dribble_to_client = whom == "client"
    proxy.dribble_to_server = whom == "server"
    chat.acts("the network", f"hands the {whom} its bytes one by one")
    for sender, receiver in ((alice, bob), (bob, alice)):
        text = f"{chat.token()} é"
        sender.types(f"PM\n{text}")
        receiver.sees(text)


@requirement("5.1", stages=on_terminal)
def test_the_client_takes_joined_objects(chat: Chat) -> None:
    """Several messages that reach the client in one segment are all shown."""
    bob = chat.user("bob")
    alice, relay = recorded(chat, "alice")
    takes_part(bob, alice)
    chat.settle()
    before = len(relay.from_server)
    text = chat.token()
    bob.types(f"PM\n{text}")
    alice.sees(text)
    chat.settle()
    message = relay.from_server[before:]
    others = [chat.token() for _ in range(3)]
    chat.acts("the network", "hands the client three such messages in one segment")
    relay.inject_to_client(
        b"".join(message.replace(text.encode(), other.encode()) for other in others)
    )
    for other in others:
        alice.sees(other)
