"""4.5 and 4.B on the direct connection: the harness plays the sender, in official frames, to the
client under test. With a dialect that cannot be done, and these checks are waived."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.framing import Header, Message, MessageType, encode_header
from tests.harness.chat import Chat
from tests.harness.failures import Forbidden, Missing, Waived
from tests.harness.forms import files_of
from tests.harness.marks import on_terminal, requirement
from tests.harness.play import SendForm
from tests.harness.terminal import TerminalUser
from tests.harness.wire import FrameUser, Wire


def accepted(
    chat: Chat, sending: SendForm, name: str
) -> tuple[FrameUser, TerminalUser, tuple[str, int]]:
    """Alice, on the wire, has offered the file `name`; bob, on his terminal, has said yes; where
    he listens. Raises Waived when the two do not understand each other."""
    bob = chat.user("bob")
    assert isinstance(bob, TerminalUser)
    alice = FrameUser(chat, "alice")
    alice.logs_in()
    alice.sends(
        Message(MessageType.FILE_REQUEST, "alice", "bob", name.encode()), f"offers `{name}`"
    )
    chat.settle()
    bob.types(sending.yes)
    chat.settle()
    address = address_in(alice)
    if address is None:
        raise Waived("no FILE_ACCEPT with an address came in official frames")
    return alice, bob, address


def address_in(user: FrameUser) -> tuple[str, int] | None:
    """The address in the FILE_ACCEPT that came, if there is one."""
    for _, frame in user.wire.frames:
        if frame.type == MessageType.FILE_ACCEPT:
            host, _, port = frame.text.strip("\0\n ").rpartition(":")
            if port.isdigit():
                return host.strip("[]"), int(port)
    return None


def connect(chat: Chat, address: tuple[str, int]) -> Wire:
    """A direct connection to the receiver."""
    return Wire(chat, "the direct connection", host=address[0], port=address[1], peer="bob")


@requirement("4.5", stages=on_terminal)
def test_half_a_file_is_a_failure(sending: SendForm, chat: Chat) -> None:
    """Half of the announced bytes and then the end: the receiver is told that it failed, and no
    half file stands under the final name."""
    name = f"{chat.token()}.bin"
    before = set[Path]()
    _, bob, address = accepted(chat, sending, name)
    before.update(files_of(bob))
    direct = connect(chat, address)
    chat.acts("alice", "sends 50,000 of 100,000 bytes straight to bob and closes")
    header = encode_header(Header(100_000, "alice", MessageType.FILE_SEND, name))
    direct.send_all(header + b"h" * 50_000)
    direct.close()
    chat.settle()
    bob.is_told("bob is told that the transfer failed")
    half = [p.name for p in files_of(bob) if p.name == name and p not in before]
    chat.forbid(bool(half), "no half file stands under the final name", f"There is {half}.")


@requirement("N.B", stages=on_terminal)
@pytest.mark.parametrize("how", ["absolute", "from-the-inbox", "from-the-directory"])
def test_no_file_is_written_outside_the_receivers_directory(
    sending: SendForm, chat: Chat, how: str
) -> None:
    """Nothing that a peer sends makes the client write outside its own directory."""
    outside = chat.workdir / "outside"
    outside.mkdir()
    target = outside / f"{chat.token()}.txt"
    # Where bob's client will stand is known: homes are numbered in the order of their making.
    base = chat.workdir / "02-bob" / "work" / chat.settings.folder
    name = {
        "absolute": str(target),
        "from-the-inbox": os.path.relpath(target, base / "inbox"),
        "from-the-directory": os.path.relpath(target, base),
    }[how]
    _, bob, address = accepted(chat, sending, name)
    content = chat.token().encode()
    direct = connect(chat, address)
    chat.acts("alice", f"sends a file named `{name}` straight to bob")
    direct.send_all(
        encode_header(Header(len(content), "alice", MessageType.FILE_SEND, name[:127])) + content
    )
    chat.settle()
    direct.half_close()
    chat.settle()
    if any(outside.iterdir()):
        raise Forbidden(
            "no file is written outside bob's directory", f"`{name}` was written at {target.name}."
        )
    chat.forbid(bob.program.crashed, "bob's client survives", f"It {bob.program.end_in_words}.")


@requirement("N.B", stages=on_terminal)
@pytest.mark.parametrize("what", ["nothing", "garbage"])
def test_a_stranger_at_the_receivers_port_does_no_harm(
    sending: SendForm, chat: Chat, what: str
) -> None:
    """A stranger who connects to the receiver's port does not make its client crash. (One that says
    nothing may hold up a client that does one thing at a time: that is no crash.)"""
    name = f"{chat.token()}.bin"
    _, bob, address = accepted(chat, sending, name)
    stranger = connect(chat, address)
    chat.acts("a stranger", f"connects to bob's port and sends {what}")
    if what == "garbage":
        stranger.send_all(os.urandom(600))
        stranger.close()
    chat.settle()
    carol = chat.user("carol")
    try:
        chat.talk(carol, bob)
    except Missing as missing:
        if what == "nothing" and bob.program.running:
            raise Waived("the client waits for its peer, and the peer says nothing") from None
        raise Forbidden("bob goes on chatting", missing.came) from None
