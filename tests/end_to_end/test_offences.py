"""What badly behaved peers do to the servers of milestones 2 to 4, and what it must not do (N.B).

Each offence is committed on a raw socket; then the others must be served as if nothing happened,
and descriptors must be back where they were.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from pathlib import Path

import pytest

from common.framing import MAX_TEXT, Message, MessageType, encode
from common.server import OUTBOX_LIMIT

from .support import Chat, chat, until

MILESTONES = [2, 3, 4]
ECHO = encode(Message(MessageType.ECHO_SEND, "", "", b"x"))

every_milestone = pytest.mark.parametrize("milestone", MILESTONES)


def assert_unharmed(running: Chat, baseline: int) -> None:
    """Check that two users can talk, and that no descriptor is left behind."""
    alice, bob = running.wire("alice"), running.wire("bob")
    alice.send(MessageType.UNICAST_SEND, "bob", b"still there?")
    assert bob.expect("still there?").nick_sender == "alice"
    alice.close()
    bob.close()
    until(lambda: running.server.descriptors() == baseline, "descriptors back to the baseline")


@every_milestone
@pytest.mark.parametrize(
    "offence",
    [
        struct.pack("<i128si128s", -1, b"", 3, b""),
        struct.pack("<i128si128s", 2_000_000_000, b"", 3, b""),
        struct.pack("<i128si128s", MAX_TEXT + 1, b"", 3, b""),
        struct.pack("<i128si128s", 0, b"", 16, b""),
        struct.pack("<i128si128s", 0, b"", -5, b""),
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" * 20,
        random.Random(1).randbytes(5000),
    ],
    ids=["negative", "two billion", "too long", "type 16", "type -5", "http", "random"],
)
def test_impossible_frame_is_told_and_dropped(
    milestone: int, offence: bytes, tmp_path: Path
) -> None:
    with chat(milestone, tmp_path) as running:
        baseline = running.server.descriptors()
        villain = running.wire()
        villain.sock.sendall(offence)
        assert "protocol error" in villain.expect("protocol error").text
        assert villain.receive() is None
        villain.close()
        assert_unharmed(running, baseline)


@every_milestone
def test_last_words_arrive_although_more_was_sent(milestone: int, tmp_path: Path) -> None:
    """Bytes behind the offence lie unread when the server closes: no reset may eat its text."""
    with chat(milestone, tmp_path) as running:
        villain = running.wire()
        garbage = struct.pack("<i128si128s", -1, b"", 3, b"")
        villain.sock.sendall(garbage + b"x" * 300_000)
        villain.expect("protocol error")
        assert villain.receive() is None


@every_milestone
def test_silent_and_unfinished_clients_delay_nobody(milestone: int, tmp_path: Path) -> None:
    with chat(milestone, tmp_path) as running:
        baseline = running.server.descriptors()
        silent = running.wire()
        half = running.wire()
        half.sock.sendall(ECHO[:100])
        withheld = running.wire("carol")
        withheld.sock.sendall(encode(Message(MessageType.ECHO_SEND, "", "", b"abc"))[:-1])
        resetting = running.wire()
        resetting.sock.sendall(ECHO[:200])
        resetting.reset()
        alice = running.wire("alice")
        alice.send(MessageType.ECHO_SEND, "", b"quick")
        assert alice.expect("quick").nick_sender == "alice"
        for wire in (silent, half, withheld, alice):
            wire.close()
        assert_unharmed(running, baseline)


@every_milestone
def test_frames_may_be_cut_and_joined_anywhere(milestone: int, tmp_path: Path) -> None:
    with chat(milestone, tmp_path) as running:
        wire = running.wire("alice")
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frames = b"".join(
            encode(Message(MessageType.ECHO_SEND, "", "", f"text {n}".encode())) for n in range(5)
        )
        for position in range(len(frames)):
            wire.sock.sendall(frames[position : position + 1])
        wire.sock.sendall(frames)
        texts = [wire.expect("text").text for _ in range(10)]
        assert texts == [f"text {n}" for n in range(5)] * 2


@every_milestone
def test_garbage_behind_the_nul_and_blanks_around_names(milestone: int, tmp_path: Path) -> None:
    with chat(milestone, tmp_path) as running:
        wire = running.wire()
        field = b" alice\r\n\0" + b"\xff" * 119
        wire.sock.sendall(struct.pack("<i128si128s", 0, b"\xfe" * 128, 0, field))
        assert wire.expect("Welcome").infos == "alice"
        wire.sock.sendall(struct.pack("<i128si128s", 0, b"", 0, b"b" * 128))
        assert wire.expect("at most 32").infos == ""


@every_milestone
def test_reader_that_never_reads_is_dropped(milestone: int, tmp_path: Path) -> None:
    """The bound is at least 4 MiB; the others notice nothing."""
    with chat(milestone, tmp_path) as running:
        assert OUTBOX_LIMIT >= 4 * 1024 * 1024
        baseline = running.server.descriptors()
        running.wire("deaf", receive_buffer=4096)
        alice, bob = running.wire("alice"), running.wire("bob")
        text = b"x" * 60_000
        sent = 0
        while "dropped" not in running.server.log:
            alice.send(MessageType.BROADCAST_SEND, "", text)
            assert bob.expect("xxx").payload == text
            sent += len(text)
            assert sent < 8 * OUTBOX_LIMIT, "a reader that never reads was not dropped"
        assert sent > 4 * 1024 * 1024
        alice.close()
        bob.close()
        assert_unharmed(running, baseline)


@every_milestone
def test_own_echoes_unread_do_not_grow_without_end(milestone: int, tmp_path: Path) -> None:
    """Who does not read is not read either: the peer's own flood stops at the kernel's buffers."""
    with chat(milestone, tmp_path) as running:
        baseline = running.server.descriptors()
        villain = running.wire("villain", receive_buffer=4096)
        villain.sock.setblocking(False)
        frame = encode(Message(MessageType.ECHO_SEND, "", "", b"y" * 60_000))
        sent = 0
        try:
            while sent < 256 * 1024 * 1024:
                sent += villain.sock.send(frame)
                running.server.process.poll()
        except BlockingIOError:
            pass
        # The others are served meanwhile, and all is well when the villain is gone.
        alice = running.wire("alice")
        alice.send(MessageType.ECHO_SEND, "", b"quick")
        alice.expect("quick")
        alice.close()
        villain.close()
        assert_unharmed(running, baseline)


@every_milestone
def test_five_hundred_clients_connect_and_vanish(milestone: int, tmp_path: Path) -> None:
    with chat(milestone, tmp_path) as running:
        baseline = running.server.descriptors()
        for number in range(500):
            wire = running.wire()
            if number % 3 == 0:
                wire.reset()
            else:
                wire.close()
        assert_unharmed(running, baseline)
        assert running.server.threads() == 1


@pytest.mark.parametrize("milestone", [1, 2, 3, 4])
def test_running_out_of_descriptors(milestone: int, tmp_path: Path) -> None:
    """New clients wait until others leave; meanwhile nothing spins, and the others are served."""
    with chat(milestone, tmp_path, descriptors=24) as running:
        wires = [running.wire() for _ in range(40)]
        until(lambda: "cannot accept" in running.server.log, "the server is full")
        wires[0].sock.sendall(ECHO if milestone > 1 else b"x")
        assert wires[0].sock.recv(1)
        before = running.server.cpu_ticks()
        time.sleep(0.5)  # that nothing spins can only be seen by looking for a while
        assert running.server.cpu_ticks() - before < 15
        waiting = wires[-1]
        for wire in wires[:-1]:
            wire.close()
        # The last one, in the backlog all the time, is served now.
        waiting.sock.sendall(ECHO if milestone > 1 else b"x")
        assert waiting.sock.recv(1)
