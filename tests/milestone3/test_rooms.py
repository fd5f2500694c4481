"""3.1 to 3.7: making rooms, going in and out, and rooms without anybody."""

from __future__ import annotations

import pytest

from common.framing import Message, MessageType
from tests.harness import screen
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import Missing, NotReady, Waived
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.screen import has_word
from tests.harness.terminal import TerminalUser
from tests.harness.wire import FrameUser, raw_header

LONG = "r" * 200
BAD_NAMES = {
    "empty": "",
    "punctuation": "re!d",
    "underscore": "re_d",
    "a-hyphen-at-the-end": "red-",
    "too-long": LONG,
}
BAD_ON_THE_WIRE = {
    "empty": "",
    "blank": "re d",
    "punctuation": "re!d",
    "a-hyphen-at-the-end": "red-",
}


def hears(chat: Chat, speaker: Actor, listener: Actor, seconds: float = 1) -> bool:
    """True when a text that the speaker types is shown to the listener."""
    text = chat.token()
    speaker.types(text)
    return chat.wait_for(lambda: text in listener.text(), seconds)


def together(chat: Chat, one: Actor, other: Actor) -> bool:
    """True when the two share a room: one of them hears the other."""
    return hears(chat, one, other) or hears(chat, other, one)


def room_exists(chat: Chat, asker: Actor, room: str, owner: Actor) -> bool:
    """The room is listed, or can be entered: one of the two, for each has a requirement."""
    asker.types("/channel_list")
    if chat.wait_for(lambda: has_word(asker.since(), room), seconds=1):
        return True
    asker.types(f"/join {room}")
    chat.settle()
    return has_word(owner.since(), asker.name) or together(chat, asker, owner)


def rooms(asker: Actor) -> str:
    """The answer to `/channel_list`, without its blanks and numbers."""
    asker.types("/channel_list")
    asker.play.wait_for(asker.hears_something, seconds=1)
    return screen.shape(asker.answer())


def no_room_is_new(asker: Actor, before: str) -> None:
    """The list of rooms is what it was, so that a room without a name is noticed, too. Raises
    Missing: what a server makes of a frame may be a matter of dialect."""
    expected = "the list of rooms is the same as before"
    asker.play.expect(expected)
    if rooms(asker) != before:
        raise Missing(expected, f"Now it is `{' '.join(asker.since().split())}`.")


@requirement("3.1")
def test_create_makes_a_room(chat: Chat) -> None:
    """`/create <room>` creates a room."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    chat.require(
        room_exists(chat, bob, "red", alice),
        "bob finds the room `red`",
        "It is not in his list, and he cannot join it.",
    )


@requirement("3.1", stages=on_terminal)
@pytest.mark.parametrize("kind", BAD_NAMES)
def test_a_bad_room_name_is_refused(chat: Chat, kind: str) -> None:
    """A name that is too long, or holds anything but letters and digits, is refused with a
    reason."""
    name = BAD_NAMES[kind]
    alice, bob = chat.users("alice", "bob")
    before = rooms(bob)
    alice.tries(f"/create {name}" if name else "/create")
    alice.is_told("alice is told that the name is refused")
    no_room_is_new(bob, before)
    bob.lists_not(*name.split(), LONG)
    alice.types("/create red")
    chat.require(
        room_exists(chat, bob, "red", alice), "alice can make a room with a good name afterwards"
    )


@requirement("3.1", stages=on_wire)
@pytest.mark.parametrize("kind", BAD_ON_THE_WIRE)
def test_a_bad_room_name_in_a_frame_is_refused(chat: Chat, kind: str) -> None:
    """An empty name, or one with a blank or punctuation in it, is refused with a reason."""
    name = BAD_ON_THE_WIRE[kind]
    alice, bob = chat.users("alice", "bob")
    before = rooms(bob)
    alice.tries(f"/create {name}")
    alice.is_told("alice is told that the name is refused")
    no_room_is_new(bob, before)
    if name:
        bob.lists_not(name)


@requirement("3.1", stages=on_wire)
def test_a_room_name_that_fills_its_field_is_refused(chat: Chat) -> None:
    """A name of 128 bytes, without room for a NUL, is refused, and the server goes on."""
    alice, bob = chat.users("alice", "bob")
    assert isinstance(alice, FrameUser)
    chat.acts("alice", "sends MULTICAST_CREATE with a name of 128 letters and no NUL")
    alice.wire.send_all(raw_header(0, b"alice", MessageType.MULTICAST_CREATE, b"r" * 128))
    chat.server_survives("a room's name of 128 letters")
    bob.types("/channel_list")
    bob.lists_not(LONG)


@requirement("3.2")
def test_the_creator_is_in_the_room(chat: Chat) -> None:
    """The creator is in the room at once."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    chat.settle()
    inside = has_word(alice.since(), "bob") or together(chat, alice, bob)
    if not inside:
        carol.types("/join red")
        if not together(chat, bob, carol):
            raise NotReady(("3.5", "3.8"), "two who join a room hear each other")
    chat.require(
        inside,
        "alice, who made the room, is in it",
        "She is told of no arrival, and neither she nor bob hears the other.",
    )


@requirement("3.2")
def test_the_creator_has_left_the_room_before(chat: Chat) -> None:
    """Who creates a room has left the one before."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    bob.types("/join red")
    alice.types("/create blue")
    text = chat.token()
    bob.types(text)
    alice.sees_nothing_of(text)
    text = chat.token()
    alice.types(text)
    bob.sees_nothing_of(text)


@requirement("3.3")
def test_the_list_of_rooms(chat: Chat) -> None:
    """`/channel_list` lists exactly the rooms that exist."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    carol.types("/channel_list")
    carol.lists("red")
    carol.lists_not("blue")
    bob.types("/create blue")
    carol.types("/channel_list")
    carol.lists("red", "blue")


@requirement("3.3")
def test_no_rooms(chat: Chat) -> None:
    """With no room, `/channel_list` says so."""
    alice = chat.user("alice")
    alice.types("/channel_list")
    alice.is_told("alice is told that there is no room")


@requirement("3.4")
def test_a_room_that_exists_is_not_created_again(chat: Chat) -> None:
    """Creating a room that exists is refused with a reason, and be it not the newest; nobody gets
    into it that way."""
    alice, bob, carol, dave = chat.users("alice", "bob", "carol", "dave")
    alice.types("/create red")
    granted = alice.answer()
    bob.types("/join red")
    dave.types("/create blue")
    carol.tries("/create red")
    promise = "carol is told that the room exists"
    carol.is_told_anew(granted, "alice", "carol", "red", promise=promise)
    text = chat.token()
    alice.types(text)
    bob.sees(text)
    carol.sees_nothing_of(text)


@requirement("3.5")
def test_join_enters_a_room(chat: Chat) -> None:
    """`/join <room>` enters a room."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    carol.types("/join red")
    chat.settle()
    told = has_word(alice.since(), "carol") or has_word(bob.since(), "carol")
    chat.require(
        told or together(chat, bob, carol),
        "bob and carol are in the same room",
        "Nobody is told of an arrival, and neither hears the other.",
    )


@requirement("3.5")
def test_quit_leaves_the_room(leaving: str, chat: Chat) -> None:
    """`/quit` (or `/quit <room>`) leaves the room and keeps the connection."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    carol.types("/join red")
    bob.types(leaving.format(room="red"))
    chat.settle()
    chat.require(bob.connected, "bob keeps his connection when he leaves a room")
    text = chat.token()
    bob.types(text)
    alice.sees_nothing_of(text)
    carol.sees_nothing_of(text)
    text = chat.token()
    alice.types(text)
    bob.sees_nothing_of(text)
    bob.types("/join red")
    chat.settle()
    told = has_word(alice.since(), "bob") or has_word(carol.since(), "bob")
    chat.require(told or together(chat, bob, alice), "bob can come back")


@requirement("3.5", stages=on_terminal)
def test_quit_outside_a_room_ends_the_client(leaving: str, chat: Chat) -> None:
    """Outside a room `/quit` ends the connection, also after a room was left."""
    alice, bob = chat.users("alice", "bob")
    assert isinstance(bob, TerminalUser)
    alice.types("/create red")
    bob.types("/join red")
    bob.types(leaving.format(room="red"))
    chat.settle()
    chat.require(bob.connected, "bob keeps his connection when he leaves a room")
    bob.types("/quit")
    chat.require(
        chat.wait_for(lambda: not bob.connected),
        "`/quit` outside a room ends the connection",
        "It still stands.",
    )


@requirement("3.5")
def test_joining_a_room_that_does_not_exist_is_refused(chat: Chat) -> None:
    """Joining a room that does not exist is refused with a reason, and does not make it."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    carol.types("/join red")
    granted = carol.answer()
    bob.tries("/join ghost")
    promise = "bob is told that there is no such room"
    bob.is_told_anew(granted, "alice", "bob", "carol", "red", "ghost", promise=promise)
    alice.types("/channel_list")
    alice.lists_not("ghost")


@requirement("3.6")
def test_joining_another_room_leaves_the_current_one(chat: Chat) -> None:
    """Joining another room leaves the current one: nobody is in two rooms."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    carol.types("/create blue")
    bob.types("/join red")
    bob.types("/join blue")
    text = chat.token()
    carol.types(text)
    bob.sees(text)
    text = chat.token()
    alice.types(text)
    bob.sees_nothing_of(text)
    text = chat.token()
    bob.types(text)
    carol.sees(text)
    alice.sees_nothing_of(text)


@requirement("3.6")
def test_a_refused_join_changes_nothing(chat: Chat) -> None:
    """A refused join leaves the user where they were."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    bob.types("/join red")
    bob.tries("/join ghost")
    for speaker, listener in ((alice, bob), (bob, alice)):
        text = chat.token()
        speaker.types(text)
        listener.sees(text)


def is_gone(chat: Chat, asker: Actor, room: str) -> None:
    """The room is listed no more. Raises Forbidden, or Missing when the server does not even take
    the question: what it then leaves out proves nothing."""
    asker.types("/channel_list")
    asker.lists_not(room)
    chat.require(
        not unread_by_the_server(chat, asker),
        f"the server takes {asker.name}'s `/channel_list`",
        "It does not read: it is blocked elsewhere.",
    )


def unread_by_the_server(chat: Chat, user: Actor) -> bool:
    """True when something that the user's connection carried waits in the server's queue."""
    _, port = user.endpoint()
    return any(
        row.remote_port == port and row.local_port == chat.port and row.receive_queue
        for row in chat.connections()
    )


@requirement("3.7")
def test_the_last_one_who_quits_is_told(leaving: str, chat: Chat) -> None:
    """When its last member leaves, the room is destroyed; the one who leaves is told, and it is
    more than who leaves others behind is told."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    bob.types("/join red")
    bob.types(leaving.format(room="red"))
    left = bob.answer()
    if not bob.connected:
        raise Waived("who leaves a room leaves the chat: that is 3.5")
    bob.types("/channel_list")
    bob.lists("red")
    alice.types(leaving.format(room="red"))
    promise = "alice is told that the room is no more"
    alice.is_told_anew(left, "alice", "bob", "red", promise=promise)
    is_gone(chat, bob, "red")


@requirement("3.7")
def test_a_room_stays_while_somebody_is_in_it(leaving: str, chat: Chat) -> None:
    """A room is not destroyed while it has a member."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    alice.types(leaving.format(room="red"))
    carol.types("/channel_list")
    carol.lists("red")
    bob.types(leaving.format(room="red"))
    is_gone(chat, carol, "red")


@requirement("3.7")
@pytest.mark.parametrize("how", ["lost", "joins-elsewhere", "creates-another"])
def test_a_room_without_members_is_destroyed(chat: Chat, how: str) -> None:
    """The room goes with its last member, however that one went."""
    alice, bob = chat.users("alice", "bob")
    if how == "joins-elsewhere":
        chat.user("carol").types("/create blue")
    alice.types("/create red")
    bob.types("/channel_list")
    bob.lists("red")
    if how == "lost":
        alice.vanishes()
    else:
        alice.types("/join blue" if how == "joins-elsewhere" else "/create green")
    is_gone(chat, bob, "red")


@requirement("3.7")
@pytest.mark.parametrize("how", ["lost", "creates-another"])
def test_a_room_outlives_its_creator(leaving: str, chat: Chat, how: str) -> None:
    """When its creator goes without `/quit`, the room stays for who is left, and goes with them:
    neither does it go too early, nor is the one who was lost still counted. (Whether the one who
    creates another has left it is 3.2.)"""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    bob.types("/join red")
    if how == "lost":
        alice.vanishes()
    else:
        alice.types("/create green")
    carol.types("/channel_list")
    carol.lists("red")
    if how == "lost":
        bob.types(leaving.format(room="red"))
        is_gone(chat, carol, "red")


@requirement("3.7", stages=on_wire)
def test_a_quit_from_outside_changes_nothing(chat: Chat) -> None:
    """MULTICAST_QUIT by somebody who is in no room takes no room from its members."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    assert isinstance(bob, FrameUser)
    alice.types("/create red")
    carol.types("/channel_list")
    carol.lists("red")
    bob.sends(Message(MessageType.MULTICAST_QUIT, "bob", "red"), "is in no room and leaves `red`")
    chat.server_survives("a MULTICAST_QUIT from outside", "3.B")
    carol.types("/channel_list")
    carol.is_told("carol is given the list of rooms")
    chat.forbid(
        not has_word(carol.answer(), "red"),
        "the room `red` is still listed: alice is in it",
        f"Carol is given `{' '.join(carol.since().split())}`.",
    )


@requirement("3.7")
def test_a_destroyed_room_can_be_created_again(leaving: str, chat: Chat) -> None:
    """The name of a destroyed room is free again."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/create red")
    alice.types(leaving.format(room="red"))
    bob.types("/create red")
    carol.types("/join red")
    chat.settle()
    told = has_word(bob.since(), "carol")
    if not (told or together(chat, carol, bob)):
        raise Missing(
            "bob can create the room `red` anew, and carol can join it",
            "He is told of no arrival, and neither he nor carol hears the other.",
        )
