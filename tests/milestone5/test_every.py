"""5.A to 5.C: the checks that all milestones share, with the bytes of milestone 5."""

from __future__ import annotations

import json
import random
import socket

import pytest

from tests.every import (
    client_survives,
    flood,
    harms_nobody_else,
    still_served,
    test_a_half_closed_connection_harms_nobody_else,
    test_a_lost_client_harms_nobody_else,
    test_a_server_is_idle_after_a_client_has_gone,
    test_an_idle_server_uses_no_cpu,
    test_clients_that_come_and_go_harm_nobody_else,
    test_descriptors_return_to_the_baseline,
    visits_leave_nothing_behind,
)
from tests.harness.chat import Chat
from tests.harness.failures import Waived
from tests.harness.json_wire import login_object, object_for, password_of
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.milestone5.steps import takes_part

__all__ = [
    "test_a_half_closed_connection_harms_nobody_else",
    "test_a_lost_client_harms_nobody_else",
    "test_a_server_is_idle_after_a_client_has_gone",
    "test_an_idle_server_uses_no_cpu",
    "test_clients_that_come_and_go_harm_nobody_else",
    "test_descriptors_return_to_the_baseline",
]

GARBAGE = random.Random(216).randbytes(700)

BYTES = {
    "one byte": b"\x05",
    "random bytes": GARBAGE,
    "random lines": GARBAGE.replace(b"\0", b"\n"),
    "a thousand zero bytes": bytes(1000),
    "a line of 6,000 bytes": b"y" * 6000 + b"\n",
}


def login(name: str) -> bytes:
    """An official login."""
    return json.dumps(login_object(name, password_of(name))).encode() + b"\n"


@requirement("5.A")
def test_the_chat_works_over_ipv6(chat: Chat) -> None:
    """IPv4 and IPv6 both work."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        raise Waived("this machine has no IPv6 loopback address") from None
    alice, bob = chat.user("alice", host="::1"), chat.user("bob")
    for sender, receiver in ((alice, bob), (bob, alice)):
        text = chat.token()
        sender.tells(receiver.name, text)
        receiver.sees_from(sender.name, text)


@requirement("5.B", stages=on_terminal)
@pytest.mark.parametrize("offence", BYTES)
def test_garbage_harms_nobody_else(chat: Chat, offence: str) -> None:
    """Whatever bytes somebody sends, the server stays up and everybody else is served."""
    harms_nobody_else(chat, offence, BYTES[offence])


@requirement("5.B", stages=on_terminal)
@pytest.mark.parametrize("offence", ["half an object", "random bytes"])
def test_garbage_and_gone_harms_nobody_else(chat: Chat, offence: str) -> None:
    """Whoever sends bad bytes and vanishes, the server stays up and everybody else is served."""
    data = GARBAGE if offence == "random bytes" else login("mallory")[:40]
    harms_nobody_else(chat, offence, data, gone=True)


@requirement("5.B", stages=on_terminal)
def test_a_reader_that_never_reads_harms_nobody_else(chat: Chat) -> None:
    """Somebody who never reads the messages that come leaves everybody else served."""
    alice, bob = chat.users("alice", "bob")
    mallory = chat.stranger("mallory", small=True)
    mallory.stop_reading()
    mallory.send_all(login("mallory"))
    chat.settle()
    trudy = chat.stranger("trudy")
    trudy.send_all(login("trudy"))
    chat.settle()
    chat.acts("trudy", "sends mallory one DM after another, and mallory reads none of them")
    message = json.dumps(object_for("DM\nmallory\n" + "z" * 800)).encode() + b"\n"
    flood(chat, trudy, message * 60)
    # Nor is one more held up who writes to mallory, and no less than what just did not fit.
    alice.tells("mallory", chat.token() * 70)
    chat.settle()
    still_served(chat, alice, bob, "a reader that never reads")


ANSWERS = {
    "random bytes": GARBAGE,
    "half an object": b'{"type": "broadcast", "from": "bo',
    "text that is no JSON": b"hello there\n",
    "bytes that are no UTF-8": b'{"type": "broadcast", "from": "\xff", "message": "\xc3"}',
    "a list": b'["broadcast", "bob", "hello"]',
    "an empty object": b"{}",
    "numbers everywhere": b'{"type": 5, "from": 6, "message": 7, "users": 8}',
    "a broadcast without fields": b'{"type": "broadcast"}',
    "an object for a list of users": b'{"type": "update_users", "users": {"a": [1]}}',
    "a list of lists of users": b'{"type": "active_users", "users": [[1], null, {"a": 2}]}',
    "half a surrogate pair": b'{"type": "broadcast", "from": "bob", "message": "\\ud83d"}',
    "lists 10,000 deep": b'{"type": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "an object of a megabyte": b'{"type": "broadcast", "message": "' + b"x" * (1 << 20) + b'"}',
}


@requirement("5.B", stages=on_terminal)
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_bad_server_does_not_crash_the_client(chat: Chat, answer: str) -> None:
    """Nothing that a server sends makes the client crash."""
    client_survives(chat, answer, ANSWERS[answer])


@requirement("5.C", stages=on_wire)
def test_memory_returns_to_the_baseline(chat: Chat) -> None:
    """Two hundred clients who come, log in and leave do not make the server grow."""
    alice, bob = chat.users("alice", "bob")
    takes_part(alice, bob)
    visits_leave_nothing_behind(chat, lambda number: login(f"visitor{chr(97 + number % 20)}"))
