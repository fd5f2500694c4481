"""2.1 to 2.4: logging in, names, and who owns them."""

from __future__ import annotations

import pytest

from common.framing import MessageType
from tests.harness import screen
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.screen import has_word
from tests.harness.wire import raw_header
from tests.milestone2.steps import goes

LONG = "n" * 200
BAD_NAMES = {
    "empty": "",
    "a-blank": " ",
    "punctuation": "al!ce",
    "underscore": "al_ice",
    "a-hyphen-at-the-end": "alice-",
    "too-long": LONG,
}
BAD_ON_THE_WIRE = {
    "empty": "",
    "blank": "al ice",
    "punctuation": "al!ce",
    "a-hyphen-at-the-end": "alice-",
}


def is_known(asker: Actor, user: Actor) -> bool:
    """The user can be reached under their name, or is listed: one of the two will do, for each
    has a requirement of its own."""
    text = asker.play.token()
    asker.types(f"/msg {user.name} {text}")
    if asker.play.wait_for(lambda: text in user.text(), seconds=1):
        return True
    asker.types("/who")
    return asker.play.wait_for(lambda: has_word(asker.since(), user.name), seconds=1)


@requirement("2.1", stages=on_terminal)
def test_a_newcomer_is_asked_to_log_in(chat: Chat) -> None:
    """On connecting, the user is asked to log in."""
    alice = chat.newcomer("alice")
    # A question may well look like a prompt: `Name:`.
    chat.require(
        chat.wait_for(lambda: screen.says_something(alice.text())),
        "alice is asked to log in",
        f"She is shown `{alice.text().strip()}`.",
    )


@requirement("2.1")
def test_who_has_logged_in_is_known(chat: Chat) -> None:
    """After `/nick <name>` the user takes part under that name."""
    bob, alice = chat.users("bob", "alice")
    chat.require(is_known(bob, alice), "bob can reach alice, or finds her in `/who`")


@requirement("2.1")
def test_nothing_is_accepted_before_login(chat: Chat) -> None:
    """Until `/nick` succeeds nothing else is accepted: no message goes out, no list comes."""
    bob = chat.user("bob")
    mallory = chat.newcomer("mallory")
    private, public = chat.token(), chat.token()
    mallory.types(f"/msg bob {private}")
    bob.sees_nothing_of(private)
    mallory.types(f"/msgall {public}")
    bob.sees_nothing_of(public)
    mallory.types("/who")
    mallory.lists_not("bob")
    mallory.types("/whois bob")
    mallory.lists_not(str(bob.endpoint()[1]))


@requirement("2.1")
def test_who_has_not_logged_in_hears_nothing(chat: Chat) -> None:
    """Whoever has not logged in receives no message to all."""
    eve = chat.newcomer("eve")
    alice, _ = chat.users("alice", "bob")
    text = chat.token()
    alice.types(f"/msgall {text}")
    eve.sees_nothing_of(text)


@requirement("2.1", stages=on_terminal)
@pytest.mark.parametrize("kind", BAD_NAMES)
def test_a_bad_name_is_refused(chat: Chat, kind: str) -> None:
    """A name that is too long, or holds anything but letters and digits, is refused with a
    reason, and the user can try again."""
    name = BAD_NAMES[kind]
    bob = chat.user("bob")
    alice = chat.newcomer("alice")
    alice.types(f"/nick {name}" if name else "/nick")
    alice.is_told("alice is told that the name is refused")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees_nothing_of(text, "bob gets no message from somebody with a refused name")
    bob.types("/who")
    bob.lists_not(*name.split(), LONG)
    alice.types("/nick alice")
    chat.require(is_known(bob, alice), "alice can log in under a good name after the refusal")


@requirement("2.1", stages=on_wire)
@pytest.mark.parametrize("kind", BAD_ON_THE_WIRE)
def test_a_bad_name_in_a_frame_is_refused(chat: Chat, kind: str) -> None:
    """An empty name, or one with a blank or punctuation in it, is refused with a reason."""
    name = BAD_ON_THE_WIRE[kind]
    bob = chat.user("bob")
    alice = chat.newcomer("alice")
    alice.types(f"/nick {name}")
    alice.is_told("alice is told that the name is refused")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees_nothing_of(text, "bob gets no message from somebody with a refused name")


@requirement("2.1", stages=on_wire)
def test_a_name_that_fills_its_field_is_refused(chat: Chat) -> None:
    """A name of 128 bytes, without room for a NUL, is refused, and the server goes on."""
    bob = chat.user("bob")
    alice = chat.frames("alice")
    chat.acts("alice", "sends NICKNAME_NEW with a name of 128 letters and no NUL")
    alice.send_all(raw_header(0, b"", MessageType.NICKNAME_NEW, b"n" * 128))
    chat.server_survives("a name of 128 letters")
    bob.types("/who")
    bob.lists_not(LONG)


@requirement("2.2")
def test_a_name_in_use_is_refused(chat: Chat) -> None:
    """A name in use, whether the first or the last that was taken, is refused with a reason; it
    stays with its owner."""
    bob, carol = chat.users("bob", "carol")
    granted = carol.answer()
    for owner, sender in ((bob, carol), (carol, bob)):
        impostor = chat.newcomer("impostor")
        impostor.tries(f"/nick {owner.name}")
        promise = "the impostor is told that the name is taken"
        impostor.is_told_anew(granted, "bob", "carol", promise=promise)
        text = chat.token()
        sender.types(f"/msg {owner.name} {text}")
        owner.sees(text)
        impostor.sees_nothing_of(text)


@requirement("2.3")
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_a_name_is_free_again(chat: Chat, how: str) -> None:
    """A name is free again once its owner has left, by `/quit` or abruptly."""
    alice, bob = chat.users("alice", "bob")
    goes(chat, bob, how)
    again = chat.user("bob")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    again.sees(text)


@requirement("2.3", stages=on_terminal)
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_the_only_user_can_come_back(chat: Chat, how: str) -> None:
    """The server goes on when its only user has left, by `/quit` or abruptly."""
    alice = chat.user("alice")
    goes(chat, alice, how)
    chat.server_survives("the leaving of its only user", "2.3")
    again, bob = chat.users("alice", "bob")
    chat.require(is_known(bob, again), "alice can come back, and is reached or listed")


def reaches(sender: Actor, receiver: Actor) -> None:
    """A private message of the one is shown to the other, with its sender."""
    text = sender.play.token()
    sender.types(f"/msg {receiver.name} {text}")
    receiver.sees_from(sender.name, text)


@requirement("2.3")
def test_users_are_tracked_through_coming_and_going(chat: Chat) -> None:
    """Through connect, quit and loss, messages reach exactly who is there now."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    goes(chat, bob, "vanishes")
    dave = chat.user("dave")
    for sender, receiver in ((alice, carol), (carol, dave), (dave, alice)):
        reaches(sender, receiver)
    goes(chat, carol)
    erin = chat.user("erin")
    for sender, receiver in ((alice, dave), (dave, erin), (erin, alice)):
        reaches(sender, receiver)


@requirement("2.3")
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_a_newcomer_is_not_taken_for_who_left(chat: Chat, how: str) -> None:
    """Who connects after somebody has left is not taken for that user."""
    alice, bob = chat.users("alice", "bob")
    goes(chat, bob, how)
    stranger = chat.newcomer("stranger")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    stranger.sees_nothing_of(text)


@requirement("2.4")
def test_a_new_name_is_used_from_then_on(chat: Chat) -> None:
    """`/nick` again changes the name: lists and messages use the new one."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/nick zoe")
    bob.types("/who")
    bob.lists("zoe")
    bob.lists_not("alice")
    text = chat.token()
    bob.types(f"/msg zoe {text}")
    alice.sees(text)
    text = chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees_from("zoe", text)


@requirement("2.4")
def test_the_old_name_is_free_at_once(chat: Chat) -> None:
    """After a change of name somebody else can take the old one."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/nick zoe")
    chat.settle()
    other = chat.user("alice")
    text = chat.token()
    bob.types(f"/msg alice {text}")
    other.sees(text)
    alice.sees_nothing_of(text)


@requirement("2.4")
def test_a_change_to_a_taken_name_is_refused(chat: Chat) -> None:
    """A change of name goes by the same rules: a taken name is refused, the old one stays."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    alice.types("/nick zoe")
    alice.types("/nick alice")
    granted = alice.answer()
    alice.tries("/nick bob")
    promise = "alice is told that the name is taken"
    alice.is_told_anew(granted, "alice", "bob", "zoe", promise=promise)
    text = chat.token()
    carol.types(f"/msg bob {text}")
    bob.sees(text)
    alice.sees_nothing_of(text)
    for sender, receiver in ((carol, alice), (alice, carol)):
        text = chat.token()
        sender.types(f"/msg {receiver.name} {text}")
        receiver.sees_from(sender.name, text)


@requirement("2.4", stages=on_terminal)
def test_a_change_to_a_bad_name_is_refused(chat: Chat) -> None:
    """A change of name goes by the same rules: a bad name is refused, the old one stays."""
    alice, bob = chat.users("alice", "bob")
    alice.tries("/nick zo!e")
    alice.is_told("alice is told that the name is refused")
    bob.types("/who")
    bob.lists_not("zo!e")
    bob.lists("alice")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees_from("alice", text)
