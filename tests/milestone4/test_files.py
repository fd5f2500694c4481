"""4.1 to 4.3 and 4.5: files go over whole, after a yes, straight, and both sides are told."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.chat import Chat
from tests.harness.failures import Forbidden, Missing, NotReady, Waived
from tests.harness.files import content_of, size_of
from tests.harness.forms import SentFile
from tests.harness.marks import on_terminal, requirement
from tests.harness.play import SendForm
from tests.harness.process import BY_THE_CHECK
from tests.harness.proxy import Proxy
from tests.harness.terminal import TerminalUser

MEBIBYTE = 1024 * 1024
PASSING = 64 * 1024
"""Bytes that may pass the server while a file of a mebibyte is sent: requests and answers."""

CONTENTS = {
    "a-line": b"one line of text\n",
    "empty": b"",
    "one-byte": b"\n",
    "zero-bytes": b"before\0\0\0behind\0",
    "all-bytes": bytes(range(256)) * 5,
    "one-block": b"b" * 1024,
    "one-block-and-a-bit": b"b" * 4096 + b"bit",
    "100-kilobytes": bytes(n * 7 % 251 for n in range(100_000)),
    "3-mebibytes": bytes(range(256)) * (3 * MEBIBYTE // 256) + b"end",
}


@requirement("4.1", stages=on_terminal)
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_arrives_byte_for_byte(sending: SendForm, chat: Chat, kind: str) -> None:
    """`/send <user> <path>` transfers the file, byte for byte, and the chat goes on."""
    alice, bob = chat.people("alice", "bob")
    file = SentFile(chat, alice, CONTENTS[kind])
    file.send(bob, sending)
    bob.types(sending.yes)
    arrives(chat, file, bob)
    if kind == "empty":
        chat.settle()  # an empty file that never ends looks the same: the chat must go on
    chat.talk(alice, bob)


def arrives(chat: Chat, file: SentFile, receiver: TerminalUser) -> None:
    """The file is found below the receiver's directory. Raises Missing."""
    expected = f"a file of {len(file.content)} bytes with the same content at {receiver.name}"
    chat.expect(expected)
    if not chat.wait_for(lambda: file.arrived_at(receiver), seconds=4):
        found = [f"{path.name}: {size_of(path)}" for path in file.new_files(receiver)]
        came = f"New files there, with their bytes: {', '.join(found) or 'none'}."
        raise Missing(expected, f"{came} {chat.what_ended()}".strip())


@requirement("4.1", stages=on_terminal)
def test_a_file_goes_the_other_way_too(sending: SendForm, chat: Chat) -> None:
    """Whoever has received a file can send one, too."""
    alice, bob = chat.people("alice", "bob")
    for sender, receiver in ((alice, bob), (bob, alice)):
        file = SentFile(chat, sender, f"from {sender.name}\n".encode())
        file.send(receiver, sending)
        receiver.types(sending.yes)
        arrives(chat, file, receiver)


@requirement("4.1", stages=on_terminal)
def test_a_file_in_a_directory(sending: SendForm, chat: Chat) -> None:
    """The path may lead into a directory: what arrives is the file."""
    alice, bob = chat.people("alice", "bob")
    (alice.program.cwd / "papers").mkdir()
    file = SentFile(chat, alice, b"from a directory\n", f"papers/{chat.token()}.bin")
    file.send(bob, sending)
    bob.types(sending.yes)
    arrives(chat, file, bob)


@requirement("4.1", stages=on_terminal)
@pytest.mark.parametrize("before", ["a-yes", "a-no"])
def test_a_second_file_goes_over_too(sending: SendForm, chat: Chat, before: str) -> None:
    """A file goes over after another one did, or was refused."""
    alice, bob = chat.people("alice", "bob")
    first = SentFile(chat, alice, b"the first one\n")
    first.send(bob, sending)
    if before == "a-yes":
        bob.types(sending.yes)
        arrives(chat, first, bob)
    else:
        bob.types(sending.no)
        chat.settle()
        if not alice.hears_something():
            raise Waived("the sender is not told of a no (4.4), and may wait for it still")
    second = SentFile(chat, alice, b"and the second\n")
    second.send(bob, sending)
    bob.types(sending.yes)
    arrives(chat, second, bob)


@requirement("4.2", stages=on_terminal)
def test_the_receiver_is_asked(sending: SendForm, chat: Chat) -> None:
    """The receiver is asked, with the sender's and the file's name, and nothing is transferred
    before the answer."""
    alice, bob = chat.people("alice", "bob")
    file = SentFile(chat, alice, b"not before you say yes\n")
    file.send(bob, sending)
    bob.lists("alice")
    bob.sees(file.name)
    chat.settle()
    chat.forbid(
        file.arrived_at(bob), "nothing is transferred before bob has said yes", "The file is there."
    )
    waiting = bytes_from(chat, alice, bob)
    chat.forbid(
        waiting > 0,
        "nothing is transferred before bob has said yes",
        f"{waiting} bytes from alice's program wait in a connection to his.",
    )


@requirement("4.2", stages=on_terminal)
def test_what_is_no_answer_is_no_yes(sending: SendForm, chat: Chat) -> None:
    """Anything but Y, y, N and n accepts nothing, whatever else becomes of it."""
    alice, bob = chat.people("alice", "bob")
    file = SentFile(chat, alice, b"bob talks of something else\n")
    file.send(bob, sending)
    bob.types(chat.token())
    chat.settle()
    chat.forbid(
        file.arrived_at(bob), "nothing is transferred before bob has said yes", "The file is there."
    )


def ports_of(user: TerminalUser) -> set[int]:
    """The ports of all sockets of the user's program."""
    connected = {row.local_port for row in user.program.tcp_connections()}
    return connected | user.program.listening_ports()


def bytes_from(chat: Chat, sender: TerminalUser, receiver: TerminalUser) -> int:
    """How many bytes wait for the receiver in connections straight from the sender, also in one
    that the receiver has not accepted yet: that belongs to nobody's descriptor (proc(5))."""
    theirs = {row.local_port for row in sender.program.tcp_connections()}
    own = ports_of(receiver)
    return sum(
        row.receive_queue
        for row in chat.connections()
        if row.remote_port in theirs and row.local_port in own and not row.is_listener
    )


@requirement("4.2", stages=on_terminal)
def test_nobody_else_is_asked(sending: SendForm, chat: Chat) -> None:
    """Nobody but the receiver is asked."""
    alice, bob, carol = chat.people("alice", "bob", "carol")
    file = SentFile(chat, alice, b"for bob\n")
    file.send(bob, sending)
    bob.sees(file.name)
    carol.sees_nothing_of(file.name)


@requirement("4.3", stages=on_terminal)
def test_the_bytes_do_not_pass_the_server(
    sending: SendForm, new_play: Callable[[], Chat], chat: Chat
) -> None:
    """The file's bytes never pass through the server: counted on the way to it."""
    # One relay for both: some programs transfer files on the port behind the server's.
    relay = Proxy(chat, "the relay")
    alice, bob = (chat.user(name, port=relay.port) for name in ("alice", "bob"))
    if not chat.wait_for(lambda: len(relay.relays) == 2):
        raise Waived("the client does not connect to the port it is given")
    file = SentFile(chat, alice, os.urandom(MEBIBYTE))
    file.send(bob, sending)
    bob.types(sending.yes)
    if not chat.wait_for(lambda: file.arrived_at(bob), seconds=4):
        # Some servers tell the sender the receiver's address as they see it: here the relay's.
        with new_play() as other:
            goes_straight(other, sending)
        return
    chat.settle()
    passed = relay.bytes_through()
    chat.forbid(
        passed > PASSING,
        f"at most {PASSING >> 10} KiB pass the server for a file of 1 MiB",
        f"{passed} bytes passed.",
    )


def goes_straight(chat: Chat, sending: SendForm) -> None:
    """A file under way stands in a connection from the sender's program to the receiver's. Raises
    Forbidden, or NotReady when no transfer begins."""
    chat.attach_server()
    alice, bob = chat.people("alice", "bob")
    held_up(chat, sending, alice, bob)
    ends = ports_of(bob)
    straight = any(row.remote_port in ends for row in alice.program.tcp_connections())
    chat.forbid(not straight, "the sender connects straight to the receiver", "It does not.")


@requirement("4.5", stages=on_terminal)
def test_both_sides_are_told_of_success(sending: SendForm, chat: Chat) -> None:
    """After the transfer both sides are told that it succeeded."""
    alice, bob = chat.people("alice", "bob")
    file = SentFile(chat, alice, b"a small file\n")
    file.send(bob, sending)
    bob.types(sending.yes)
    if not chat.wait_for(lambda: file.arrived_at(bob), seconds=4):
        raise NotReady(("4.1",), "the file arrives", f"It does not. {chat.what_ended()}")
    bob.is_told("bob is told that he has the file")
    alice.is_told("alice is told that bob has the file")


def stop(chat: Chat, somebody: TerminalUser) -> None:
    """Let somebody's program do nothing any more; what comes for it stays unread."""
    os.kill(somebody.program.pid, signal.SIGSTOP)
    chat.unread_ports |= {row.local_port for row in somebody.program.tcp_connections()}


def held_up(chat: Chat, sending: SendForm, alice: TerminalUser, bob: TerminalUser) -> SentFile:
    """A large file that is under way and gets no further: its receiver is stopped (SIGSTOP).

    However fast or slow the machine is: the sender is stopped until the receiver has said yes, and
    the receiver before the sender goes on. So the kernel takes the connection, and what it has room
    for, which is far less than the file.
    """
    file = SentFile(chat, alice, os.urandom(MEBIBYTE) * 48)
    file.send(bob, sending)
    known = {row.inode for row in alice.program.tcp_connections()}
    stop(chat, alice)
    bob.types(sending.yes)
    chat.settle()
    stop(chat, bob)
    os.kill(alice.program.pid, signal.SIGCONT)

    def has_begun() -> bool:
        rows = alice.program.tcp_connections()
        return any(row.inode not in known and not row.is_listener for row in rows)

    if not chat.wait_for(has_begun):
        raise NotReady(("4.1",), "the transfer begins", chat.what_ended())
    chat.acts("the network", "holds the transfer up in the middle")
    chat.settle()
    if file.arrived_at(bob):
        raise Waived("the transfer was over before it could be held up")
    return file


@requirement("4.5", stages=on_terminal)
def test_both_sides_are_told_of_the_end(sending: SendForm, chat: Chat) -> None:
    """What they are told at the beginning is not enough: they are told when it is over."""
    alice, bob = chat.people("alice", "bob")
    file = held_up(chat, sending, alice, bob)
    chat.acts("the network", "lets the transfer go on")
    os.kill(bob.program.pid, signal.SIGCONT)
    chat.unread_ports.clear()
    if not chat.wait_for(lambda: file.arrived_at(bob), seconds=4):
        raise Waived("a file of 48 MiB does not arrive")
    bob.is_told("bob is told that he has the file")
    alice.is_told("alice is told that bob has the file")


def what_success_looks_like(
    chat: Chat, sending: SendForm, alice: TerminalUser, bob: TerminalUser
) -> tuple[tuple[str, str], SentFile]:
    """What alice and bob are told of a small file that goes over whole, and that file."""
    file = SentFile(chat, alice, b"a small file\n")
    file.send(bob, sending)
    bob.types(sending.yes)
    if not chat.wait_for(lambda: file.arrived_at(bob), seconds=4):
        raise NotReady(("4.1",), "the file arrives", f"It does not. {chat.what_ended()}")
    return (alice.answer(), bob.answer()), file


@requirement("4.5", stages=on_terminal)
def test_the_receiver_is_told_when_the_sender_is_lost(sending: SendForm, chat: Chat) -> None:
    """A transfer that breaks is told to the receiver, and leaves no half file under the final
    name."""
    alice, bob = chat.people("alice", "bob")
    (_, success), small = what_success_looks_like(chat, sending, alice, bob)
    final = {place_of(path, small, bob) for path in small.copies_at(bob)}
    file = held_up(chat, sending, alice, bob)
    alice.program.ended_because = BY_THE_CHECK
    os.kill(alice.program.pid, signal.SIGKILL)
    chat.acts("alice", "vanishes in the middle of the transfer")
    os.kill(bob.program.pid, signal.SIGCONT)
    chat.unread_ports.clear()
    chat.settle()
    no_half_file(chat, file, bob, final)
    promise = "bob is told that the transfer failed"
    bob.is_told_anew(success, small.name, file.name, promise=promise)


@requirement("4.5", stages=on_terminal)
def test_the_sender_is_told_when_the_receiver_is_lost(sending: SendForm, chat: Chat) -> None:
    """A transfer that breaks is told to the sender."""
    alice, bob = chat.people("alice", "bob")
    (success, _), small = what_success_looks_like(chat, sending, alice, bob)
    file = held_up(chat, sending, alice, bob)
    chat.acts("bob", "vanishes in the middle of the transfer")
    bob.program.end(BY_THE_CHECK)
    promise = "alice is told that the transfer failed"
    alice.is_told_anew(success, small.name, file.name, promise=promise)


def place_of(path: Path, file: SentFile, receiver: TerminalUser) -> str:
    """Where a file stands below the receiver's directory, but for its own name and numbers: what
    two finished files have in common, and one that is not finished has not."""
    place = str(path.relative_to(receiver.program.home))
    return re.sub(r"\d+", "", place.replace(file.stem, ""))


def no_half_file(chat: Chat, file: SentFile, receiver: TerminalUser, final: set[str]) -> None:
    """No new file with another content, a part of it or more, stands where a finished one does."""
    expected = "a broken transfer leaves no half file under the final name"
    chat.expect(expected)

    def halves() -> list[str]:
        return [
            f"{path.name} ({size} of {len(file.content)} bytes)"
            for path in file.new_files(receiver)
            if (size := size_of(path)) >= 0
            and place_of(path, file, receiver) in final
            and (size != len(file.content) or content_of(path) != file.content)
        ]

    if not chat.wait_for(lambda: not halves()):
        raise Forbidden(expected, f"There is {', '.join(halves())}.")
