"""2.5, 2.6, 2.12 and 2.13: who is there, what is known of them, and leaving."""

from __future__ import annotations

import pytest

from tests.harness import screen
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import Missing
from tests.harness.marks import on_terminal, requirement
from tests.harness.terminal import TerminalUser
from tests.milestone2.steps import goes


@requirement("2.5")
def test_who_lists_everybody(chat: Chat) -> None:
    """`/who` lists exactly the users logged in now, the asker included."""
    alice, _, carol = chat.users("alice", "bob", "carol")
    for asker in (alice, carol):
        asker.types("/who")
        asker.lists("alice", "bob", "carol")


@requirement("2.5")
def test_who_lists_the_only_user(chat: Chat) -> None:
    """Alone on the server, the asker is listed."""
    alice = chat.user("alice")
    alice.types("/who")
    alice.lists("alice")


@requirement("2.5")
def test_who_does_not_list_a_newcomer(chat: Chat) -> None:
    """Who has connected and not logged in is in no list; then they are."""
    alice = chat.user("alice")
    alice.types("/who")
    alice.lists("alice")
    before = screen.shape(alice.answer())
    dave = chat.newcomer("dave")
    alice.types("/who")
    alice.lists("alice")
    chat.forbid(
        screen.shape(alice.answer()) != before,
        "the list is the same before and after somebody has connected without a name",
        f"Then it is `{' '.join(alice.since().split())}`.",
    )
    alice.lists_not("dave")
    dave.types("/nick dave")
    alice.types("/who")
    alice.lists("alice", "dave")


@requirement("2.5")
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_who_does_not_list_who_has_gone(chat: Chat, how: str) -> None:
    """Somebody who quit or was lost is gone from the list, the others are still there."""
    alice, bob, _ = chat.users("alice", "bob", "carol")
    goes(chat, bob, how)
    alice.types("/who")
    alice.lists("alice", "carol")
    alice.lists_not("bob")


def tells_where_from(asker: Actor, subject: Actor) -> None:
    """The answer holds a date or time, and the subject's IP address and port."""
    host, port = subject.endpoint()
    asker.lists(host)
    asker.lists(str(port))
    expected = f"{asker.name} is told when {subject.name} connected: a date or a time of day"
    asker.play.expect(expected)
    if not asker.play.wait_for(lambda: screen.has_date_or_time(asker.since())):
        raise Missing(expected, f"What came: `{' '.join(asker.since().split())}`.")


@requirement("2.6")
def test_whois_tells_date_address_and_port(chat: Chat) -> None:
    """`/whois <user>` gives the date of connection, IP address and port of that user."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/whois bob")
    tells_where_from(alice, bob)


@requirement("2.6")
def test_whois_tells_users_apart(chat: Chat) -> None:
    """Address and port are that user's own, not somebody else's, whoever came first."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    for asker, subject in ((alice, carol), (alice, bob), (carol, alice)):
        asker.types(f"/whois {subject.name}")
        host, port = subject.endpoint()
        asker.lists(host, str(port))


@requirement("2.6")
def test_whois_of_an_unknown_user_says_so(chat: Chat) -> None:
    """For an unknown user `/whois` says that there is none."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/whois ghost")
    alice.is_told("alice is told that there is no such user")
    alice.lists_not(str(alice.endpoint()[1]), str(bob.endpoint()[1]))


@requirement("2.12")
def test_whoami_tells_name_address_port_and_time(chat: Chat) -> None:
    """`/whoami` shows one's own name, IP address, port and connection time."""
    alice, bob = chat.users("alice", "bob")
    for user in (alice, bob):
        user.types("/whoami")
        user.lists(user.name)
        tells_where_from(user, user)


@requirement("2.13", stages=on_terminal)
def test_quit_says_goodbye_and_ends(chat: Chat) -> None:
    """`/quit` says goodbye and closes the connection."""
    alice, _ = chat.users("alice", "bob")  # somebody stays: the last one's leaving is for 2.3
    assert isinstance(alice, TerminalUser)
    port = alice.endpoint()[1]
    alice.leaves()
    alice.is_told("alice is told goodbye")
    chat.require(
        all(row.local_port != port or row.state != "01" for row in chat.connections()),
        "the client closes the connection",
    )


@requirement("2.13")
def test_quit_removes_the_user(chat: Chat) -> None:
    """After `/quit`, `/who` of the others no longer shows the user."""
    alice, bob = chat.users("alice", "bob")
    alice.types("/who")
    alice.lists("bob")
    bob.leaves()
    alice.types("/who")
    alice.lists("alice")
    alice.lists_not("bob")
