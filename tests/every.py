"""N.A to N.C, for every milestone from 1 to 4: IPv6, bad behaviour, what a server holds on to.

Each milestone's directory imports these checks; `N` in an id stands for its number. The offences
are raw bytes, so that they need no dialect, and the judges are ordinary users: whatever the server
does with the offender, they are still served.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Callable

import pytest

from common.framing import Header, Message, MessageType, encode, encode_header
from tests.harness import kernel
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import Forbidden, Missing, NotReady, Waived
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.terminal import TerminalUser
from tests.harness.wire import Wire, raw_header

IDLE_SECONDS = 0.5
IDLE_CPU = 40_000_000
"""Nanoseconds of CPU time in IDLE_SECONDS from which on a server is not idle."""
FLOOD_BYTES = 8 * 1024 * 1024
VISITS = 200
VISITS_SECONDS = 40.0
"""Seconds after which no more visits are made: a server may hash passwords slowly."""
MEMORY_PER_VISIT = 40 * 1024


def still_served(chat: Chat, alice: Actor, bob: Actor, offence: str) -> None:
    """Alice and bob, who were there before, are served; so is somebody who comes now."""
    chat.server_survives(offence)
    carol = chat.user("carol")
    for one, other in ((alice, bob), (bob, carol)):
        try:
            if chat.settings.milestone == 1:
                text = chat.token()
                one.types(text)
                one.sees(text)
            else:
                chat.talk(one, other)
        except Missing as missing:
            chat.server_survives(offence)
            raise Forbidden(
                f"everybody else is served after {offence}", missing.came, missing.hint
            ) from None


# -- N.A --------------------------------------------------------------------------------------


@requirement("N.A")
def test_the_chat_works_over_ipv6(chat: Chat) -> None:
    """IPv4 and IPv6 both work."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        raise Waived("this machine has no IPv6 loopback address") from None
    alice, bob = chat.user("alice", host="::1"), chat.user("bob")
    for sender, receiver in ((alice, bob), (bob, alice)):
        if chat.settings.milestone == 1:
            text = chat.token()
            sender.types(text)
            sender.sees(text)
        else:
            chat.talk(sender, receiver)


# -- N.B: the server --------------------------------------------------------------------------


def harms_nobody_else(chat: Chat, offence: str, data: bytes, *, gone: bool = False) -> None:
    """Mallory sends `data`, and resets the connection or stays; everybody else is served."""
    alice, bob = chat.users("alice", "bob")
    mallory = chat.stranger("mallory")
    chat.acts("mallory", f"sends {offence}" + " and resets the connection" * gone)
    mallory.send_all(data)
    if gone:
        chat.settle()
        mallory.reset()
    still_served(chat, alice, bob, offence + " and a reset" * gone)


def login(name: str) -> bytes:
    """A correct NICKNAME_NEW frame."""
    return encode(Message(MessageType.NICKNAME_NEW, "", name))


def header(pld_len: int, kind: int = int(MessageType.ECHO_SEND)) -> bytes:
    """A header that promises `pld_len` bytes."""
    return encode_header(Header(pld_len, "mallory", kind, ""))


GARBAGE = random.Random(216).randbytes(700)

BYTES = {
    "one byte": b"\x05",
    "half a header": login("mallory")[:100],
    "a header without its payload": header(500),
    "random bytes": GARBAGE,
    "random lines": GARBAGE.replace(b"\0", b"\n"),
    "a thousand zero bytes": bytes(1000),
    "a payload of 6,000 bytes": header(6000) + b"x" * 6000,
    "a negative length": header(-1) + b"x" * 50,
    "a length of two billion": header(2_000_000_000) + b"x" * 50,
    "an unknown type": header(4, 4711) + b"abcd",
    "a name without NUL": raw_header(0, b"", 0, b"n" * 128),
    "an unfinished name field": raw_header(4, b"s" * 128, 4, b"r" * 128) + b"text",
    "a line of 6,000 bytes": b"y" * 6000 + b"\n",
}


@requirement("N.B", stages=on_terminal)
@pytest.mark.parametrize("offence", BYTES)
def test_garbage_harms_nobody_else(chat: Chat, offence: str) -> None:
    """Whatever bytes somebody sends, the server stays up and everybody else is served."""
    harms_nobody_else(chat, offence, BYTES[offence])


@requirement("N.B", stages=on_terminal)
@pytest.mark.parametrize("offence", ["half a header", "random bytes", "an unknown type"])
def test_garbage_and_gone_harms_nobody_else(chat: Chat, offence: str) -> None:
    """Whoever sends bad bytes and vanishes, the server stays up and everybody else is served."""
    harms_nobody_else(chat, offence, BYTES[offence], gone=True)


@requirement("N.B", stages=on_terminal)
def test_clients_that_come_and_go_harm_nobody_else(chat: Chat) -> None:
    """Fifty connections that are closed or reset at once leave everybody else served."""
    alice, bob = chat.users("alice", "bob")
    chat.acts("fifty strangers", "connect and vanish")
    with contextlib.suppress(NotReady):  # refused: the server has crashed, as is found below
        for number in range(50):
            stranger = Wire(chat, "a stranger")
            stranger.reset() if number % 2 else stranger.close()
    still_served(chat, alice, bob, "fifty connections that vanish")


@requirement("N.B", stages=on_terminal)
def test_a_half_closed_connection_harms_nobody_else(chat: Chat) -> None:
    """A client that closes its sending half only leaves everybody else served."""
    alice, bob = chat.users("alice", "bob")
    mallory = chat.stranger("mallory")
    chat.acts("mallory", "closes the sending half of the connection")
    mallory.half_close()
    still_served(chat, alice, bob, "a half-closed connection")


@requirement("N.B", stages=on_terminal)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_lost_client_harms_nobody_else(chat: Chat, how: str) -> None:
    """A client that is killed, or stopped and reads no more, leaves everybody else served."""
    alice, bob, dave = chat.users("alice", "bob", "dave")
    assert isinstance(dave, TerminalUser)
    if how == "killed":
        dave.vanishes()
    else:
        chat.acts("dave", "is stopped with SIGSTOP and reads no more")
        chat.unread_ports.add(dave.endpoint()[1])
        os.kill(dave.program.pid, signal.SIGSTOP)
    for _ in range(3):
        if chat.settings.milestone == 1:
            alice.types(chat.token())
        else:
            alice.tells("dave", chat.token())
        chat.settle()
    still_served(chat, alice, bob, f"a client that is {how}")


@requirement("N.B", stages=on_terminal)
def test_a_reader_that_never_reads_harms_nobody_else(chat: Chat) -> None:
    """Somebody who sends without end and never reads the answers leaves everybody else served."""
    alice, bob = chat.users("alice", "bob")
    mallory = chat.stranger("mallory", small=True)
    mallory.stop_reading()
    if chat.settings.milestone == 1:
        burst = (b"z" * 99 + b"\n") * 640
    else:
        mallory.send_all(login("mallory"))
        chat.settle()
        burst = encode(Message(MessageType.ECHO_SEND, "mallory", "", b"z" * 800)) * 60
    chat.acts("mallory", f"sends up to {FLOOD_BYTES >> 20} MiB and reads nothing")
    flood(chat, mallory, burst)
    still_served(chat, alice, bob, "a reader that never reads")


def flood(chat: Chat, sender: Wire, burst: bytes) -> None:
    """Send `burst` again and again, until FLOOD_BYTES are sent or the server takes no more."""
    while sender.sent < FLOOD_BYTES and not sender.ended:
        before = sender.sent
        sender.send(burst)
        chat.pump(0.01)
        if sender.sent == before:
            chat.settle()
            if sender.sent == before:
                break  # the server takes no more: a good answer


# -- N.B: the client --------------------------------------------------------------------------

ANSWERS = {
    "random bytes": GARBAGE,
    "half a header": login("x")[:100],
    "a negative length": header(-5) + b"x" * 40,
    "a length of two billion": header(2_000_000_000) + b"x" * 40,
    "an unknown type": header(4, 4711) + b"abcd",
    "a payload of 6,000 bytes": header(6000) + b"x" * 6000,
    "fields without NUL": raw_header(4, b"s" * 128, 4, b"r" * 128) + b"text",
}


@requirement("N.B", stages=on_terminal)
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_bad_server_does_not_crash_the_client(chat: Chat, answer: str) -> None:
    """Nothing that a server sends makes the client crash."""
    client_survives(chat, answer, ANSWERS[answer])


def client_survives(chat: Chat, answer: str, data: bytes) -> None:
    """Alice's server sends `data` and closes; her client ends in an orderly way or goes on."""
    alice, proxy = chat.user_behind_proxy("alice")
    assert isinstance(alice, TerminalUser)
    chat.acts("server", f"sends alice {answer} and closes")
    relay = proxy.relays[-1]
    relay.inject_to_client(data)
    chat.settle()
    relay.close()
    chat.settle()
    said = alice.program.output.since(0)
    chat.forbid(
        alice.program.crashed or b"Traceback (most recent call last)" in said,
        f"the client survives {answer} from its server, or ends in an orderly way",
        f"It {alice.program.end_in_words}.{chat.tail(alice.program)}",
    )
    chat.forbid(
        "printed without end" in alice.program.ended_because,
        "the client does not print without end when its server has gone",
        f"It {alice.program.end_in_words}.",
    )


# -- N.C --------------------------------------------------------------------------------------


def serves(chat: Chat, alice: Actor) -> None:
    """A server that does nothing at all is no idle server. Raises NotReady."""
    try:
        if chat.settings.milestone == 1:
            text = chat.token()
            alice.types(text)
            alice.sees(text)
        else:
            chat.talk(alice, chat.user("zoe"))
    except Missing:
        raise NotReady(("1.4", "2.9"), "the server serves its users", chat.what_ended()) from None


def still_runs(chat: Chat) -> None:
    """A server that dies when somebody leaves breaks another promise than this one. Raises
    Forbidden."""
    number = chat.settings.milestone
    chat.server_survives("clients who come and leave", "1.7", "2.3", f"{number}.B")


def is_idle(chat: Chat, when: str) -> None:
    """The server's tasks use no CPU time for half a second: the one wait by the clock."""
    server = chat.own_server()
    chat.settle()
    before = kernel.look(server.processes(), set(), set())
    chat.linger(IDLE_SECONDS)
    after = kernel.look(server.processes(), set(), set())
    spent = sum(
        runtime - before.tasks.get(task, ("", 0))[1] for task, (_, runtime) in after.tasks.items()
    )
    chat.forbid(
        spent > IDLE_CPU,
        f"the server uses no CPU time {when}",
        f"In {IDLE_SECONDS} s it used {spent / 1e9:.3f} s.",
    )


@requirement("N.C", stages=on_terminal)
def test_an_idle_server_uses_no_cpu(chat: Chat) -> None:
    """An idle server uses no CPU, with nobody there and with idle clients."""
    alice, _ = chat.users("alice", "bob")
    serves(chat, alice)
    is_idle(chat, "while its clients are idle")


@requirement("N.C", stages=on_terminal)
@pytest.mark.parametrize("how", ["leaves", "vanishes", "resets"])
def test_a_server_is_idle_after_a_client_has_gone(chat: Chat, how: str) -> None:
    """An idle server uses no CPU, also after a client quit or was reset."""
    serves(chat, chat.user("alice"))
    if how == "resets":
        stranger = chat.stranger("a stranger")
        chat.settle()  # it has been accepted
        stranger.reset()
    else:
        bob = chat.user("bob")
        bob.leaves() if how == "leaves" else bob.vanishes()
    still_runs(chat)
    is_idle(chat, "after a client has gone")


@requirement("N.C", stages=on_terminal)
def test_descriptors_return_to_the_baseline(chat: Chat) -> None:
    """File descriptors return to where they were after clients leave."""
    server = chat.own_server()
    serves(chat, chat.user("alice"))

    def visit() -> None:
        bob = chat.user("bob")
        bob.leaves()
        chat.user("carol").vanishes()
        chat.stranger("a stranger").reset()
        still_runs(chat)

    visit()
    before = kernel.descriptors(kernel.family({server.pid}))
    visit()
    visit()
    after = kernel.descriptors(kernel.family({server.pid}))
    chat.forbid(
        after > before,
        f"the server has {before} descriptors open after its clients have gone",
        f"It has {after}: some were not closed.",
    )


@requirement("N.C", stages=on_wire)
def test_memory_returns_to_the_baseline(chat: Chat) -> None:
    """Two hundred clients who come, log in and leave do not make the server grow."""

    def first_words(number: int) -> bytes:
        name = f"visitor{number:03}"
        return login(name) if chat.settings.milestone > 1 else name.encode() + b"\n"

    visits_leave_nothing_behind(chat, first_words)


def visits_leave_nothing_behind(chat: Chat, first_words: Callable[[int], bytes]) -> None:
    """Visitor after visitor connects, sends its first words and leaves: 50, and then 200 who must
    cost neither descriptors nor memory. A slow server gets fewer visits."""
    server = chat.own_server()

    def visits(count: int) -> int:
        until = time.monotonic() + VISITS_SECONDS
        for number in range(count):
            if not server.running:
                break
            visitor = Wire(chat, f"visitor {number}")
            visitor.send(first_words(number))
            chat.settle()
            visitor.close()
            if time.monotonic() > until:
                count = number + 1
                break
        chat.settle()
        return count

    chat.acts("250 visitors", "log in and leave, one after another")
    visits(50)
    before = kernel.resident_bytes(kernel.family({server.pid}))
    open_before = kernel.descriptors(kernel.family({server.pid}))
    visited = visits(VISITS)
    still_runs(chat)
    open_now = kernel.descriptors(kernel.family({server.pid}))
    chat.forbid(
        open_now > open_before,
        f"the server has {open_before} descriptors open after {visited} visits, as before",
        f"It has {open_now}.",
    )
    grown = kernel.resident_bytes(kernel.family({server.pid})) - before
    chat.forbid(
        grown > visited * MEMORY_PER_VISIT,
        f"{visited} visits raise the server's memory by less than "
        f"{visited * MEMORY_PER_VISIT >> 20} MiB",
        f"They raised it by {grown >> 20} MiB.",
    )
    is_let_in(chat, f"after {visited + 50} visits")


def is_let_in(chat: Chat, when: str) -> None:
    """Somebody who connects is accepted, and not sent away. Raises Forbidden."""
    newcomer = chat.stranger("a newcomer")
    chat.settle()
    waits = any(
        row.is_listener and row.local_port == chat.port and row.receive_queue
        for row in chat.connections()
    )
    came = "The connection is not accepted." if waits else f"The connection is {newcomer.ended}."
    chat.forbid(waits or bool(newcomer.ended), f"a newcomer is let in {when}", came)
