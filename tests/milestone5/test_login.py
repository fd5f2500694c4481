"""5.2 and 5.3: names, passwords, and the list after the login."""

from __future__ import annotations

from tests.harness.chat import Chat
from tests.harness.failures import Missing
from tests.harness.files import content_of, files_below
from tests.harness.json_wire import password_of
from tests.harness.marks import on_terminal, requirement
from tests.milestone5.steps import goes, is_known, log_in, takes_part

WRONG = "Wrong4bcdfg"


@requirement("5.2")
def test_who_has_logged_in_is_known(chat: Chat) -> None:
    """With a new name and a password the user is registered and takes part under that name."""
    bob, alice = chat.users("bob", "alice")
    chat.require(is_known(bob, alice), "bob can reach alice, or finds her with WHO")


@requirement("5.2")
def test_the_right_password_opens_again(chat: Chat) -> None:
    """A known name gets in again with its password."""
    bob, alice = chat.users("bob", "alice")
    takes_part(bob, alice)
    goes(alice, seen_by=bob)
    again = chat.user("alice")
    chat.require(is_known(bob, again), "alice is logged in again with her password")


@requirement("5.2")
def test_a_wrong_password_is_refused(chat: Chat) -> None:
    """A known name must bring its password; a wrong one is refused with a reason."""
    bob, alice = chat.users("bob", "alice")
    takes_part(bob, alice)
    listed_exactly = goes(alice, seen_by=bob)
    mallory = chat.newcomer("mallory")
    log_in(mallory, "alice", WRONG)
    mallory.is_told("mallory is told that this is not alice's password")
    text = chat.token()
    bob.tells("alice", text)
    mallory.sees_nothing_of(text, "a message to alice is not shown to mallory")
    if listed_exactly:
        bob.types("WHO")
        bob.lists_not("alice")


@requirement("5.2")
def test_a_refused_login_can_be_tried_again(chat: Chat) -> None:
    """After a wrong password the user can try again, on the same connection or a new one."""
    bob, alice = chat.users("bob", "alice")
    takes_part(bob, alice)
    goes(alice, seen_by=bob)
    again = chat.newcomer("alice")
    log_in(again, "alice", WRONG)
    again.is_told("alice is told that the password is wrong")
    chat.settle()
    if again.connected:
        try:
            log_in(again, "alice", password_of("alice"))
            if is_known(bob, again):
                return
        except Missing:  # the client has ended meanwhile: a new one will do
            pass
        again.vanishes()
    again = chat.user("alice")
    chat.require(is_known(bob, again), "alice gets in with her password after a wrong one")


@requirement("5.2")
def test_a_name_already_logged_in_is_refused(chat: Chat) -> None:
    """A name that is logged in is refused with a reason, and stays with who has it."""
    bob, carol = chat.users("bob", "carol")
    takes_part(carol, bob)
    impostor = chat.newcomer("impostor")
    log_in(impostor, "bob", password_of("bob"))
    impostor.is_told("the impostor is told that bob is already logged in")
    text = chat.token()
    carol.tells("bob", text)
    chat.require(
        chat.wait_for(lambda: text in bob.text()) or is_known(carol, bob),
        "the first bob keeps his name",
    )
    impostor.sees_nothing_of(text, "a message to bob is not shown to the impostor")


@requirement("5.2", stages=on_terminal)
def test_no_password_is_kept_in_clear(chat: Chat) -> None:
    """Passwords are never stored or logged in clear: not in what the server prints, not in its
    files, not in what others are shown."""
    server = chat.own_server()
    bob, alice = chat.user("bob"), chat.newcomer("alice")
    right, wrong = chat.token(), chat.token()
    log_in(alice, "alice", right)
    takes_part(bob, alice)
    goes(alice, seen_by=bob)
    log_in(chat.newcomer("alice"), "alice", wrong)
    chat.settle()
    for word, password in (("right", right), ("wrong", wrong)):
        secret = password.encode()
        chat.forbid(
            secret in server.output.since(0),
            f"the server does not print the {word} password that somebody tried",
            f"It printed it.{chat.tail(server)}",
        )
        for path in files_below(server.home):
            chat.forbid(
                secret in content_of(path),
                f"the {word} password that somebody tried is in no file of the server",
                f"It is in {path.name}.",
            )
        bob.sees_nothing_of(password, f"bob is not shown the {word} password of alice")


@requirement("5.3")
def test_the_active_users_are_shown_after_login(chat: Chat) -> None:
    """After login the client gets the list of active users, and shows it."""
    bob = chat.user("bob")
    carol = chat.user("carol")
    takes_part(carol, bob)
    alice = chat.user("alice")
    alice.lists("alice", "bob", "carol")
