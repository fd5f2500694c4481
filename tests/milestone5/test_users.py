"""5.4, 5.8 and 5.9: who is there, who is told of it, and leaving."""

from __future__ import annotations

import pytest

from tests.harness.chat import Chat
from tests.harness.failures import Missing, Waived
from tests.harness.json_wire import JSONUser
from tests.harness.marks import requirement
from tests.harness.wire import Wire
from tests.milestone5.steps import gets_list, goes, is_shown_list, recorded, takes_part


@requirement("5.4")
def test_a_login_sends_the_new_list(chat: Chat) -> None:
    """Every login sends the new list to all users, whose clients show it."""
    alice, bob = chat.users("alice", "bob")
    chat.user("carol")
    for user in (alice, bob):
        user.lists("alice", "bob", "carol")


@requirement("5.4")
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_a_logout_sends_the_new_list(chat: Chat, how: str) -> None:
    """Every logout, an abrupt one too, sends the new list to all users, whose clients show it."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    takes_part(alice, bob)
    if how == "vanishes":
        bob.vanishes()
    else:
        bob.types("EX")
        if not is_shown_list(alice, "alice", "carol", without="bob") and bob.connected:
            bob.vanishes()  # EX does nothing at all: that is for 5.9 to say
    for user in (alice, carol):
        gets_list(user, "alice", "carol", without="bob")


@requirement("5.8")
def test_who_lists_everybody(chat: Chat) -> None:
    """WHO lists exactly the active users, the asker included, and the client shows them."""
    alice, _, carol = chat.users("alice", "bob", "carol")
    for asker in (alice, carol):
        asker.types("WHO")
        asker.lists("alice", "bob", "carol")


@requirement("5.8")
def test_who_does_not_list_a_newcomer(chat: Chat) -> None:
    """Who has connected and not logged in is in no list."""
    alice = chat.user("alice")
    chat.newcomer("dave")
    alice.types("WHO")
    alice.lists("alice")
    alice.lists_not("dave")


@requirement("5.8")
def test_who_does_not_list_who_has_gone(chat: Chat) -> None:
    """Somebody who has left is gone from the list, the others are still there."""
    alice, bob, _ = chat.users("alice", "bob", "carol")
    takes_part(alice, bob)
    goes(bob, seen_by=alice)
    alice.types("WHO")
    alice.lists("alice", "carol")
    alice.lists_not("bob")


@requirement("5.9")
def test_the_server_closes_after_ex(chat: Chat) -> None:
    """EX ends the session: the server closes the connection."""
    ended: Wire
    bob = chat.user("bob")
    if chat.stage == "wire":
        alice = chat.user("alice")
        takes_part(bob, alice)
        alice.types("EX")
        assert isinstance(alice, JSONUser)
        ended = alice.wire
    else:
        # The client may close before the server does. So a stranger says what alice's client
        # said, in whatever dialect, and waits for the server.
        alice, relay = recorded(chat, "alice")
        takes_part(bob, alice)
        login = relay.from_client
        alice.types("EX")
        chat.settle()
        words = relay.from_client[len(login) :]
        if not words:
            raise Waived("the client sends nothing for EX, it just closes")
        if alice.connected:
            alice.vanishes()
        ended = chat.stranger("a stranger")
        chat.acts("a stranger", "logs in with the bytes of alice's client")
        ended.send_all(login)
        chat.settle()
        chat.acts("a stranger", "sends what alice's client sent for EX")
        ended.send_all(words)
    expected = "the server closes the connection after EX"
    chat.expect(expected)
    if not chat.wait_for(lambda: bool(ended.ended)):
        raise Missing(expected, f"It is still open. {chat.what_ended()}".strip())


@requirement("5.9")
def test_ex_takes_the_user_off_the_list(chat: Chat) -> None:
    """After EX the others get the new list."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    takes_part(alice, bob)
    bob.types("EX")
    chat.settle()
    for user in (alice, carol):
        gets_list(user, "alice", "carol", without="bob")
