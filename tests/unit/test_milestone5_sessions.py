"""Outbox and sessions: nobody waits for a slow reader, and no list overtakes another (5.4, 5.B)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from milestone5_threads import sessions
from milestone5_threads.outbox import Outbox
from milestone5_threads.sessions import Session, Users

DEADLINE = 20.0


def test_an_outbox_gives_back_in_order() -> None:
    outbox = Outbox()
    assert outbox.put(b"1") and outbox.put(b"2")
    outbox.close()
    assert [outbox.take(), outbox.take(), outbox.take()] == [b"1", b"2", None]


def test_a_full_outbox_says_so_and_has_room_again_after_a_take() -> None:
    outbox = Outbox(max_bytes=10)
    assert outbox.put(b"12345678")
    assert not outbox.put(b"123")
    assert outbox.put(b"12"), "the bound is exact"
    assert outbox.take() == b"12345678"
    assert outbox.put(b"12345678")


def test_a_closed_outbox_ignores_what_comes_later() -> None:
    outbox = Outbox(max_bytes=10)
    outbox.close()
    assert outbox.put(b"x" * 100)
    assert outbox.take() is None


def test_discard_throws_away() -> None:
    outbox = Outbox()
    outbox.put(b"1")
    outbox.discard()
    assert outbox.take() is None


@pytest.mark.parametrize("wake", [lambda box: box.put(b"x"), Outbox.close, Outbox.discard])
def test_a_waiting_taker_is_woken(wake: Any) -> None:
    outbox = Outbox()
    taken: list[bytes | None] = []
    taker = threading.Thread(target=lambda: taken.append(outbox.take()), daemon=True)
    taker.start()
    wake(outbox)
    taker.join(DEADLINE)
    assert len(taken) == 1


def serve_until_end(session: Session) -> None:
    """A reading thread that does nothing but what every one must: receive, then close."""
    try:
        for _ in session.requests():
            pass
    except OSError:
        pass
    finally:
        session.close()


@pytest.fixture
def pair() -> Iterator[tuple[Session, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(DEADLINE)
    yield Session(ours, "test", serve_until_end), theirs
    ours.close()
    theirs.close()


def receive_all(sock: socket.socket) -> bytes:
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


def test_what_was_put_before_the_end_still_arrives(pair: tuple[Session, socket.socket]) -> None:
    session, theirs = pair
    session.start()
    for number in range(100):
        session.tell({"n": number})
    theirs.shutdown(socket.SHUT_WR)
    lines = receive_all(theirs).splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(100))
    assert session.join(DEADLINE)


def test_a_thread_waiting_in_recv_is_ended_by_hang_up(pair: tuple[Session, socket.socket]) -> None:
    session, theirs = pair
    session.start()
    session.hang_up()
    assert session.join(DEADLINE)
    assert theirs.recv(1) == b""


def test_a_session_that_never_started_can_be_joined(pair: tuple[Session, socket.socket]) -> None:
    """Ctrl-C may come between accept and start; stopping must not fail over it."""
    session, _theirs = pair
    session.end_requests()
    assert session.join(DEADLINE)


def test_deliver_never_waits_and_drops_who_does_not_read(
    pair: tuple[Session, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than socket and outbox can hold: every call returns, and both threads end."""
    monkeypatch.setattr(sessions, "FAREWELL", 0.1)
    session, _theirs = pair
    session.start()
    for _ in range(200):
        session.deliver(b"x" * 60_000)  # would hang here for ever if it sent
    assert session.join(DEADLINE)
    assert session.outbox.take() is None


class Recorder(Session):
    """A session without a socket that keeps the lists it was sent."""

    def __init__(self) -> None:
        self.name = None
        self.lists: list[list[str]] = []

    def deliver(self, data: bytes) -> None:
        self.lists.append(json.loads(data)["users"])


def test_enter_announces_to_all_the_new_one_included() -> None:
    users, alice, bob = Users(), Recorder(), Recorder()
    assert users.enter("alice", alice)
    assert users.enter("bob", bob)
    assert alice.lists == [["alice"], ["alice", "bob"]]
    assert bob.lists == [["alice", "bob"]]


def test_a_name_in_use_is_refused_and_nothing_is_announced() -> None:
    users, alice, thief = Users(), Recorder(), Recorder()
    users.enter("alice", alice)
    assert not users.enter("alice", thief)
    assert thief.name is None
    assert (alice.lists, thief.lists) == ([["alice"]], [])
    users.leave(thief)
    assert users.names() == ["alice"], "the refused one must not log the owner out"


def test_leave_announces_to_those_who_stay_and_frees_the_name() -> None:
    users, alice, bob = Users(), Recorder(), Recorder()
    users.enter("alice", alice)
    users.enter("bob", bob)
    users.leave(bob)
    assert alice.lists[-1] == ["alice"]
    assert bob.lists == [["alice", "bob"]]
    assert users.find("bob") is None
    assert users.enter("bob", Recorder())


def test_lists_do_not_overtake_each_other() -> None:
    """Many log in and out at once; a witness sees lists of which each differs by one name."""
    users, witness = Users(), Recorder()
    users.enter("witness", witness)

    def come_and_go(number: int) -> None:
        for _ in range(30):
            session = Recorder()
            users.enter(f"u{number}", session)
            users.leave(session)

    threads = [threading.Thread(target=come_and_go, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert witness.lists[-1] == ["witness"]
    assert len(witness.lists) == 1 + 8 * 30 * 2
    for before, after in zip(witness.lists, witness.lists[1:], strict=False):
        assert len(set(before) ^ set(after)) == 1
