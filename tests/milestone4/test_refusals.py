"""4.4, 4.6 and 4.7, and what the server forwards: a no, a stranger, a file that is not there."""

from __future__ import annotations

import os

import pytest

from common.framing import Message, MessageType
from tests.harness.chat import Chat
from tests.harness.failures import NotReady, Waived
from tests.harness.forms import SentFile
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.play import SendForm
from tests.harness.wire import FrameUser


@requirement("4.4", stages=on_terminal)
def test_on_no_nothing_is_sent(sending: SendForm, chat: Chat) -> None:
    """On no the sender is told and nothing is sent."""
    alice, bob = chat.people("alice", "bob")
    file = SentFile(chat, alice, b"bob does not want this\n")
    file.send(bob, sending)
    if file.name not in bob.text():
        raise NotReady(("4.2",), "bob is asked", chat.what_ended())
    bob.types(sending.no)
    alice.is_told("alice is told that bob does not want the file")
    chat.settle()
    chat.forbid(file.arrived_at(bob), "nothing is sent after a no", "The file is there.")
    chat.talk(alice, bob)


@requirement("4.6", stages=on_terminal)
def test_an_unknown_receiver_is_reported(sending: SendForm, chat: Chat) -> None:
    """An unknown user is reported to the sender, in other words than those of a request that goes
    out, and nobody is asked."""
    alice, bob = chat.people("alice", "bob")
    known = SentFile(chat, alice, b"for bob\n")
    known.send(bob, sending)
    asked = alice.answer()
    bob.types(sending.no)
    file = SentFile(chat, alice, b"for nobody\n")
    alice.types(sending.command("ghost", file.name))
    promise = "alice is told that there is no user ghost"
    alice.is_told_anew(asked, "alice", "bob", "ghost", known.name, file.name, promise=promise)
    bob.sees_nothing_of(file.name)
    chat.talk(alice, bob)


@requirement("4.7", stages=on_terminal)
@pytest.mark.parametrize("what", ["missing", "a-directory", "unreadable"])
def test_a_file_that_cannot_be_read_is_reported(sending: SendForm, chat: Chat, what: str) -> None:
    """A file that is missing, unreadable or a directory is reported to the sender and nobody is
    asked."""
    alice, bob = chat.people("alice", "bob")
    file = SentFile(chat, alice, b"unreadable\n")
    path = alice.program.cwd / file.name
    if what == "unreadable":
        if os.geteuid() == 0:
            raise Waived("root can read every file")
        path.chmod(0)
    else:
        path.unlink()
        if what == "a-directory":
            path.mkdir()
    file.send(bob, sending)
    alice.is_told("alice is told that the file cannot be sent")
    bob.sees_nothing_of(file.name, "bob is not asked")
    chat.forbid(bob.hears_something(), "bob is not asked", f"He is shown `{bob.since()}`.")
    chat.talk(bob, alice)


# -- what the server forwards ------------------------------------------------------------------


def requested(chat: Chat) -> tuple[FrameUser, FrameUser, str]:
    """Alice has asked bob, in frames, to take a file."""
    alice, bob = chat.users("alice", "bob")
    assert isinstance(alice, FrameUser)
    assert isinstance(bob, FrameUser)
    name = f"{chat.token()}.txt"
    alice.sends(
        Message(MessageType.FILE_REQUEST, "alice", "bob", name.encode()), "asks bob to take a file"
    )
    bob.sees(name)
    return alice, bob, name


@requirement("4.2", stages=on_wire)
def test_a_request_reaches_its_receiver_alone(chat: Chat) -> None:
    """A request reaches the receiver, with the sender's name, and nobody else."""
    carol = chat.user("carol")
    _, bob, name = requested(chat)
    bob.lists("alice")
    carol.sees_nothing_of(name)


@requirement("4.3", stages=on_wire)
def test_an_acceptance_carries_the_receivers_address(chat: Chat) -> None:
    """On yes the sender is given the address at which the receiver listens."""
    alice, bob, _ = requested(chat)
    bob.sends(Message(MessageType.FILE_ACCEPT, "bob", "alice", b"127.0.0.1:45678"), "says yes")
    alice.sees("127.0.0.1:45678")


@requirement("4.4", stages=on_wire)
def test_a_refusal_reaches_the_sender(chat: Chat) -> None:
    """On no the sender is told."""
    alice, bob, _ = requested(chat)
    bob.sends(Message(MessageType.FILE_REJECT, "bob", "alice"), "says no")
    alice.is_told("alice is told that bob does not want the file")


@requirement("4.6", stages=on_wire)
def test_a_request_to_nobody_is_reported(chat: Chat) -> None:
    """A request to an unknown user is reported to the sender alone."""
    alice, bob = chat.users("alice", "bob")
    assert isinstance(alice, FrameUser)
    name = f"{chat.token()}.txt"
    alice.sends(Message(MessageType.FILE_REQUEST, "alice", "ghost", name.encode()), "asks a ghost")
    alice.is_told("alice is told that there is no user ghost")
    bob.sees_nothing_of(name)
