"""3.8 and 3.9: who in a room hears what."""

from __future__ import annotations

import pytest

from common.framing import Message, MessageType
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import NotReady, Waived
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.screen import has_word
from tests.harness.wire import FrameUser


def shown(chat: Chat, text: str, listener: Actor, joined: bool) -> None:
    """The listener is shown the text. Raises Missing, or NotReady when nothing says that they
    share a room at all."""
    if not joined and not chat.wait_for(lambda: text in listener.text()):
        raise NotReady(("3.5",), f"{listener.name} is in the room", "Nothing says so.")
    listener.sees(text)


@requirement("3.8")
def test_text_in_a_room_reaches_its_members_alone(chat: Chat) -> None:
    """Text typed in a room reaches its members and nobody else."""
    alice, bob, carol, dave = chat.users("alice", "bob", "carol", "dave")
    alice.types("/create red")
    carol.types("/create blue")
    bob.types("/join red")
    chat.settle()
    joined = has_word(alice.since(), "bob")
    for speaker, listener in ((alice, bob), (bob, alice)):
        text = chat.token()
        speaker.types(text)
        shown(chat, text, listener, joined)
        carol.sees_nothing_of(text)
        dave.sees_nothing_of(text)


@requirement("3.8")
def test_every_member_hears(chat: Chat) -> None:
    """All members hear what one of them says, under the speaker's name."""
    alice, bob, carol, dave = chat.users("alice", "bob", "carol", "dave")
    alice.types("/create red")
    for member in (bob, carol, dave):
        member.types("/join red")
    chat.settle()
    text = chat.token()
    carol.types(text)
    for member in (alice, bob, dave):
        member.sees_from("carol", text)


@requirement("3.8")
def test_a_newcomer_is_in_no_room(chat: Chat) -> None:
    """Who connects after a member was lost is not in that member's place."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    bob.types("/join red")
    bob.vanishes()
    carol = chat.user("carol")
    for speaker, listener in ((alice, carol), (carol, alice)):
        text = chat.token()
        speaker.types(text)
        listener.sees_nothing_of(text)


@requirement("3.8", stages=on_wire)
def test_text_does_not_come_back(chat: Chat) -> None:
    """Text typed in a room does not come back to its sender."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    bob.types("/join red")
    text = chat.token()
    alice.types(text)
    bob.sees(text)
    alice.sees_nothing_of(text)


@requirement("3.8", stages=on_terminal)
def test_text_does_not_come_back_to_its_client(chat: Chat) -> None:
    """Text typed in a room does not come back to its sender: looked for in what the server sends,
    since a client may print by itself what its user typed."""
    alice, proxy = chat.user_behind_proxy("alice")
    bob = chat.user("bob")
    alice.types("/create red")
    bob.types("/join red")
    text = chat.token()
    alice.types(text)
    bob.sees(text)
    chat.settle()
    sent = any(text.encode() in relay.from_server for relay in proxy.relays)
    # Bytes that nobody is shown may be left over in a buffer that is used again.
    chat.forbid(
        sent and text in alice.text(),
        f"the server does not send `{text}` back to alice",
        "It did: the text is in what the server sent to alice's client.",
    )


@requirement("3.8", stages=on_wire)
def test_a_frame_that_names_another_room_reaches_nobody_there(chat: Chat) -> None:
    """The server goes by its own record of who is in which room."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    bob.types("/create blue")
    carol.types("/join blue")
    alice.types("/create red")
    assert isinstance(alice, FrameUser)
    text = chat.token()
    alice.sends(
        Message(MessageType.MULTICAST_SEND, "alice", "blue", text.encode()),
        "is in `red` and sends to `blue`",
    )
    bob.sees_nothing_of(text)
    carol.sees_nothing_of(text)


@requirement("3.8", stages=on_terminal)
def test_a_claim_to_another_room_reaches_nobody_there_in_any_dialect(chat: Chat) -> None:
    """The server goes by its own record: the client's own bytes, sent once more with another
    room's name in them, reach nobody in that room."""
    bob, carol = chat.users("bob", "carol")
    bob.types("/create south")
    carol.types("/create north")
    alice, proxy = chat.user_behind_proxy("alice")
    alice.types("/join north")
    chat.settle()
    relay = proxy.relays[-1]
    before = len(relay.from_client)
    text, forged = chat.token(), chat.token()
    alice.types(text)
    chat.settle()
    frame = relay.from_client[before:]
    if text.encode() not in frame or b"north" not in frame:
        raise Waived("the client's frames do not name the room, so there is none to be forged")
    chat.acts("alice", "is in `north` and sends that text once more, naming the room `south`")
    relay.inject_to_server(
        frame.replace(b"north", b"south").replace(text.encode(), forged.encode())
    )
    bob.sees_nothing_of(forged)


@requirement("3.9")
def test_an_arrival_is_announced(chat: Chat) -> None:
    """The members are told of every arrival."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    alice.lists("bob")
    carol.types("/join red")
    alice.lists("carol")
    bob.lists("carol")


@requirement("3.9")
def test_a_departure_is_announced(leaving: str, chat: Chat) -> None:
    """The members are told when one of them leaves the room."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    carol.types("/join red")
    bob.types(leaving.format(room="red"))
    alice.lists("bob")
    carol.lists("bob")


@requirement("3.9")
@pytest.mark.parametrize("how", ["lost", "joins-elsewhere", "creates-another"])
def test_a_silent_departure_is_announced(chat: Chat, how: str) -> None:
    """The members are told of a departure without `/quit`: an abrupt one, or into another
    room."""
    alice, bob = chat.users("alice", "bob")
    if how == "joins-elsewhere":
        chat.user("carol").types("/create blue")
    alice.types("/create red")
    bob.types("/join red")
    if how == "lost":
        bob.vanishes()
    else:
        bob.types("/join blue" if how == "joins-elsewhere" else "/create green")
    alice.lists("bob")


@requirement("3.9")
def test_nobody_else_is_told(leaving: str, chat: Chat) -> None:
    """Somebody in another room hears nothing of arrivals and departures."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    carol.types("/create blue")
    bob.types("/join red")
    alice.lists("bob")
    carol.lists_not("bob")
    bob.types(leaving.format(room="red"))
    alice.lists("bob")
    carol.lists_not("bob")
