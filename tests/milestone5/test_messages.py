"""5.5 to 5.7: who gets which message, and what its sender is told."""

from __future__ import annotations

import pytest

from tests.harness import screen
from tests.harness.chat import Chat
from tests.harness.failures import Missing
from tests.harness.marks import requirement
from tests.milestone5.steps import goes, overheard, takes_part


@requirement("5.5")
def test_a_public_message_reaches_all_others(chat: Chat) -> None:
    """PM: the server delivers to all others, under the sender's name, blanks and all."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    text = f"{chat.token()} and {chat.token()}, too"
    bob.types(f"PM\n{text}")
    alice.sees_from("bob", text)
    carol.sees_from("bob", text)


@requirement("5.5")
def test_a_public_message_is_acknowledged(chat: Chat) -> None:
    """PM: the server acknowledges to the sender."""
    bob = chat.user("bob")
    alice, bytes_from_server = overheard(chat, "alice")
    takes_part(alice, bob)
    chat.settle()
    before = bytes_from_server()
    alice.types(f"PM\n{chat.token()}")
    expected = "the server sends alice an acknowledgement"
    chat.expect(expected)
    if not chat.wait_for(lambda: bytes_from_server() > before):
        raise Missing(expected, f"It sent her nothing. {chat.what_ended()}".strip())


@requirement("5.6")
def test_a_private_message_arrives(chat: Chat) -> None:
    """DM: the server delivers to that user, under the sender's name."""
    alice, bob = chat.users("alice", "bob")
    for sender, receiver in ((alice, bob), (bob, alice)):
        text = f"{chat.token()} {chat.token()}"
        sender.tells(receiver.name, text)
        receiver.sees_from(sender.name, text)


@requirement("5.6")
def test_a_private_message_reaches_nobody_else(chat: Chat) -> None:
    """DM: the server delivers to that user alone."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    text = chat.token()
    alice.tells("bob", text)
    bob.sees(text)
    carol.sees_nothing_of(text)


@requirement("5.6")
def test_a_private_message_is_confirmed(chat: Chat) -> None:
    """DM: the server confirms to the sender."""
    bob = chat.user("bob")
    alice, bytes_from_server = overheard(chat, "alice")
    chat.settle()
    before = bytes_from_server()
    text = chat.token()
    alice.tells("bob", text)
    bob.sees(text)
    expected = "the server sends alice a confirmation"
    chat.expect(expected)
    if not chat.wait_for(lambda: bytes_from_server() > before):
        raise Missing(expected, f"It sent her nothing. {chat.what_ended()}".strip())


@requirement("5.7")
@pytest.mark.parametrize("who", ["was-never-there", "has-left"])
def test_a_message_to_nobody_is_reported(chat: Chat, who: str) -> None:
    """DM to someone who is not there tells the sender, in other words than those for a message
    that was delivered; nobody else hears of it."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    takes_part(alice, carol)
    texts = chat.token(), chat.token()
    alice.tells("bob", texts[0])
    bob.sees(texts[0])
    delivered = screen.shape(alice.answer(), texts[0], "bob")
    absent = "ghost"
    if who == "has-left":
        absent = "bob"
        goes(bob, seen_by=alice)
    alice.tells(absent, texts[1])
    alice.is_told(f"alice is told that {absent} is not there")
    expected = f"alice is told other words of {absent} than of a message that was delivered"
    chat.expect(expected)
    if not chat.wait_for(lambda: screen.shape(alice.since(), texts[1], absent) != delivered):
        raise Missing(expected, f"She is shown the same: `{' '.join(alice.since().split())}`.")
    carol.sees_nothing_of(texts[1])
