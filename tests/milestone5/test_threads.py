"""5.10 and 5.11: threads that begin and end with their connection, and a server that goes down."""

from __future__ import annotations

from tests.harness import kernel
from tests.harness.chat import Chat
from tests.harness.failures import Missing
from tests.harness.marks import on_terminal, requirement
from tests.harness.process import Program
from tests.harness.prompted import Prompted
from tests.milestone5.steps import departs, takes_part

THREADS_END = 4.0
"""Seconds in which a thread has to end once its connection has: some first wait for a farewell."""


def threads_of(program: Program) -> int:
    """Threads besides the first one of each of the program's processes."""
    family = kernel.family({program.pid})
    return kernel.threads(family) - len(family)


@requirement("5.10", stages=on_terminal)
def test_one_thread_per_client(chat: Chat) -> None:
    """The server runs one thread per client (more will do)."""
    server = chat.own_server()
    alice = chat.user("alice")
    chat.settle()
    before = threads_of(server)
    bob, *_ = chat.users("bob", "carol", "dave")
    takes_part(alice, bob)
    chat.settle()
    after = threads_of(server)
    chat.require(
        after >= before + 3,
        "three more clients need three more threads",
        f"Besides the main thread there were {before} with one client, and {after} with four.",
    )


@requirement("5.10", stages=on_terminal)
def test_threads_end_with_their_connection(chat: Chat) -> None:
    """The server's threads end with their connection, however it ends."""
    server = chat.own_server()
    alice = chat.user("alice")

    def visitors_come_and_go() -> None:
        bob, carol = chat.users("bob", "carol")
        takes_part(alice, bob)
        departs(bob)
        carol.vanishes()
        chat.stranger("a stranger").reset()
        chat.stranger("a stranger").close()
        chat.settle()

    visitors_come_and_go()
    chat.settle()
    before = threads_of(server)
    visitors_come_and_go()
    visitors_come_and_go()
    ended = chat.wait_for(lambda: threads_of(server) <= before, THREADS_END)
    chat.forbid(
        not ended,
        f"the server has {before} threads besides the main one after its visitors have gone",
        f"It has {threads_of(server)}: some did not end with their connection.",
    )


@requirement("5.10", stages=on_terminal)
def test_the_client_has_two_threads(chat: Chat) -> None:
    """The client runs one thread for input and one for listening."""
    alice, bob = chat.users("alice", "bob")
    takes_part(alice, bob)
    assert isinstance(alice, Prompted)
    count = threads_of(alice.program)
    chat.require(
        count >= 1, "the client has a second thread", "It has one, which must do everything."
    )


@requirement("5.10", stages=on_terminal)
def test_the_client_listens_while_it_asks(chat: Chat) -> None:
    """What the server sends is shown while the client waits for the next line of an operation."""
    alice, bob = chat.users("alice", "bob")
    takes_part(alice, bob)
    bob.types("DM")
    text = chat.token()
    alice.tells("bob", text)
    bob.sees(text)


@requirement("5.11", stages=on_terminal)
def test_the_client_ends_when_the_server_goes_down(chat: Chat) -> None:
    """When the server goes down the client says so and ends by itself, without a traceback (a
    client that waits in `input()` may need Enter once)."""
    server = chat.own_server()
    bob, alice = chat.users("bob", "alice")
    takes_part(bob, alice)
    assert isinstance(alice, Prompted)
    chat.settle()
    chat.acts("the server", "is killed")
    server.end("the check ends it here")
    chat.settle()
    client = alice.program
    if not chat.wait_for(lambda: not client.running, seconds=1):
        chat.story.append("alice presses Enter")
        alice.enters("")
    expected = "alice's client ends by itself when the server has gone down"
    chat.expect(expected)
    if not chat.wait_for(lambda: not client.running):
        raise Missing(expected, f"It is still running.{chat.tail(client)}")
    alice.is_told("alice is told that the server has gone")
    chat.forbid(
        client.crashed or "Traceback (most recent call last)" in alice.since(),
        "the client ends without a traceback",
        f"It {client.end_in_words}.{chat.tail(client)}",
    )
