"""Milestone 4: files between two clients, and everything that can go wrong on the way.

Where one side has to misbehave, the test plays it itself, with frames; the other side is always
the real client on a pseudo-terminal.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.addresses import parse_address
from common.framing import (
    HEADER_SIZE,
    MAX_LENGTH,
    Decoder,
    Header,
    Message,
    MessageType,
    NeedMore,
    decode_header,
    encode,
    encode_header,
)
from demo.terminal import Terminal

from .support import Chat, Wire, chat, until
from .test_milestones import fence, say

DATA = bytes(range(256)) * 5000 + b"end"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Chat]:
    with chat(4, tmp_path) as started:
        yield started


def descriptors(terminal: Terminal) -> list[str]:
    """Return what a client has open, without the numbers of its sockets and pipes."""
    kinds = []
    for entry in Path(f"/proc/{terminal.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            kinds.append(os.readlink(entry).split(":")[0])
    return sorted(kinds)


def inbox(running: Chat, who: str) -> dict[str, bytes]:
    """Return the files that somebody received, temporary ones included."""
    folder = running.directory(who) / "inbox"
    found = {}
    for path in folder.iterdir() if folder.exists() else ():
        with contextlib.suppress(FileNotFoundError):  # a temporary one, gone since it was listed
            found[path.name] = path.read_bytes()
    return found


def asked(wire: Wire, receiver: str, name: str) -> None:
    """Ask for a transfer, as a sender of the test's own."""
    wire.send(MessageType.FILE_REQUEST, receiver, name.encode())
    assert wire.expect("has been asked").infos == receiver


def agreed(wire: Wire) -> tuple[str, int]:
    """Wait for the yes; return where the receiver listens."""
    while (message := wire.receive()) is not None:
        if message.type == MessageType.FILE_ACCEPT:
            return parse_address(message.text)
    raise AssertionError("no FILE_ACCEPT came")


def file_header(sender: str, name: str, size: int) -> bytes:
    return encode_header(Header(size, sender, MessageType.FILE_SEND, name))


def verdict(sock: socket.socket) -> Message | None:
    """Read the receiver's last message, or None if it just closed."""
    sock.settimeout(20)
    decoder = Decoder()
    while isinstance(message := decoder.next_message(), NeedMore):
        data = sock.recv(65536)
        if not data:
            return None
        decoder.receive_data(data)
    return message


def accept_file(wire: Wire, sender: str) -> socket.socket:
    """Say yes to a sender, and take its connection, as a receiver of the test's own."""
    while (message := wire.receive()) is not None:
        if message.type == MessageType.FILE_REQUEST and message.nick_sender == sender:
            break
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        wire.send(MessageType.FILE_ACCEPT, sender, address.encode())
        sock, _ = listener.accept()
    sock.settimeout(20)
    return sock


class TestTransfers:
    @pytest.mark.parametrize("data", [b"", b"\0", DATA], ids=["empty", "NUL", "binary"])
    def test_byte_for_byte(self, running: Chat, data: bytes) -> None:
        """4.1, 4.2, 4.3, 4.5."""
        alice, bob = running.terminal("alice"), running.terminal("bob")
        before = descriptors(alice), descriptors(bob)
        (running.directory("alice") / "my file.bin").write_bytes(data)
        alice.type('/send bob "my file.bin"\n')
        bob.expect('alice wants you to accept the transfer of the file named "my file.bin"')
        bob.expect("Do you accept? [Y/N]")
        # While the question stands, commands still work; any other answer asks again.
        say(bob, "/who", "- bob")
        say(bob, "perhaps", "Do you accept? [Y/N]")
        assert inbox(running, "bob") == {}
        say(bob, "Y", "my file.bin saved in inbox/my file.bin")
        alice.expect("bob accepted file transfer.")
        alice.expect("bob has received the file.")
        assert inbox(running, "bob") == {"my file.bin": data}
        until(lambda: (descriptors(alice), descriptors(bob)) == before, "nothing is left open")
        # A second time, unquoted: saved beside the first one.
        alice.type("/send bob my file.bin\n")
        bob.expect("Do you accept? [Y/N]", after=len(bob.screen) - 50)
        say(bob, "yes", "my file.bin saved in inbox/my file (1).bin")
        assert inbox(running, "bob") == {"my file.bin": data, "my file (1).bin": data}

    def test_no(self, running: Chat) -> None:
        """4.4."""
        alice, bob = running.terminal("alice"), running.terminal("bob")
        (running.directory("alice") / "x").write_bytes(DATA)
        alice.type("/send bob x\n")
        bob.expect("[Y/N]")
        bob.type("n\n")
        alice.expect("bob cancelled file transfer.")
        fence(bob)
        assert inbox(running, "bob") == {}

    def test_what_cannot_be_sent(self, running: Chat) -> None:
        """4.6, 4.7: nobody is asked."""
        alice, bob = running.terminal("alice"), running.terminal("bob")
        folder = running.directory("alice")
        (folder / "x").write_bytes(b"x")
        (folder / ("n" * 128)).write_bytes(b"x")
        os.mkfifo(folder / "pipe")
        with (folder / "huge").open("wb") as huge:
            huge.truncate(MAX_LENGTH + 1)
        say(alice, "/send bob missing", "cannot send missing: no such file or directory")
        say(alice, "/send bob .", "cannot send .: it is a directory")
        say(alice, "/send bob pipe", "cannot send pipe: it is not a file")
        say(alice, "/send bob huge", "a frame takes 2147483647")
        say(alice, "/send bob " + "n" * 128, "longer than 127 bytes")
        say(alice, "/send nobody x", "user nobody does not exist")
        say(alice, "/send alice x", "cannot send a file to yourself")
        say(alice, "/send bob", "usage: /send <user> <path>")
        fence(bob)
        assert "[Y/N]" not in bob.screen

    @pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
    def test_unreadable(self, running: Chat) -> None:
        """4.7."""
        alice = running.terminal("alice")
        path = running.directory("alice") / "secret"
        path.write_bytes(b"x")
        path.chmod(0)
        say(alice, "/send bob secret", "permission denied")

    def test_both_directions_at_once_and_chat(self, running: Chat) -> None:
        """Both ask each other at once; several requests wait in line."""
        alice, bob = running.terminal("alice"), running.terminal("bob")
        carol = running.terminal("carol")
        for who in ("alice", "bob", "carol"):
            (running.directory(who) / f"{who}.bin").write_bytes(who.encode() * 2_000_000)
        alice.type("/send bob alice.bin\n")
        bob.expect('named "alice.bin"')
        bob.type("/send alice bob.bin\n")
        alice.expect('named "bob.bin"')
        carol.type("/send bob carol.bin\n")
        carol.expect("bob has been asked")
        bob.type("y\n")
        bob.expect('named "carol.bin"')
        alice.type("y\n")
        bob.type("y\n")
        alice.type("/msg bob meanwhile\n")
        bob.expect("[alice] : meanwhile")
        bob.expect("alice.bin saved in")
        bob.expect("carol.bin saved in")
        alice.expect("bob.bin saved in")
        assert inbox(running, "alice") == {"bob.bin": b"bob" * 2_000_000}
        assert inbox(running, "bob") == {
            "alice.bin": b"alice" * 2_000_000,
            "carol.bin": b"carol" * 2_000_000,
        }

    def test_change_of_names_in_between(self, running: Chat) -> None:
        """4.2: the request stays valid, also when another alice comes along."""
        alice, bob = running.terminal("alice"), running.terminal("bob")
        (running.directory("alice") / "x").write_bytes(DATA)
        alice.type("/send bob x\n")
        bob.expect("[Y/N]")
        say(alice, "/nick anna", "you are anna now")
        running.wire("alice")
        say(bob, "/nick rob", "you are rob now")
        running.wire("bob")
        alice.expect("bob is rob now")
        bob.type("y\n")
        bob.expect("x saved in inbox/x")
        alice.expect("rob has received the file.")
        assert inbox(running, "bob") == {"x": DATA}

    def test_pipe_waits_for_the_answer(self, running: Chat, tmp_path: Path) -> None:
        """Input has ended, but the file that was offered is still sent."""
        bob = running.terminal("bob")
        (running.directory("alice") / "x").write_bytes(DATA)
        alice = running.terminal("alice")
        alice.type("/send bob x\n\x04")
        bob.expect("[Y/N]")
        bob.type("y\n")
        bob.expect("x saved in")
        alice.expect("bob has received the file.")
        assert alice.wait() == 0


class TestReceiver:
    """The real client receives, from a sender of the test's own."""

    @pytest.mark.parametrize(
        ("wish", "name"),
        [
            ("../../x", "x"),
            ("/etc/passwd", "passwd"),
            (".", "unnamed"),
            ("..", "unnamed"),
            ("a\x1b[2Jb\n", "a_x1b[2Jb"),
        ],
    )
    def test_wild_names(self, running: Chat, wish: str, name: str) -> None:
        """4.B."""
        alice, bob = running.wire("alice"), running.terminal("bob")
        asked(alice, "bob", wish)
        bob.expect("[Y/N]")
        assert "\x1b" not in bob.screen
        bob.type("y\n")
        with socket.create_connection(agreed(alice), 20) as sock:
            sock.sendall(file_header("alice", wish, 4) + b"data")
            answer = verdict(sock)
        assert answer is not None
        assert (answer.type, answer.nick_sender) == (MessageType.FILE_ACK, "bob")
        assert inbox(running, "bob") == {name: b"data"}
        assert {path.name for path in running.tmp_path.iterdir()} == {"bob", "server.log"}

    def test_strangers_are_read_and_ignored(self, running: Chat) -> None:
        """The first FILE_SEND that names the agreed sender and file wins."""
        alice, bob = running.wire("alice"), running.terminal("bob")
        before = descriptors(bob)
        asked(alice, "bob", "x")
        bob.expect("[Y/N]")
        bob.type("y\n")
        where = agreed(alice)
        with contextlib.ExitStack() as stack:
            for offence in [
                b"",
                b"GET / HTTP/1.1\r\n\r\n",
                b"garbage" * 100,
                file_header("mallory", "x", 5),
                file_header("alice", "other", 5),
                file_header("alice", "x", -1),
                encode(Message(MessageType.FILE_ACK, "alice", "x")),
                *[b""] * 40,
            ]:
                stranger = stack.enter_context(socket.create_connection(where, 20))
                stranger.sendall(offence)
            sock = stack.enter_context(socket.create_connection(where, 20))
            for byte in file_header("alice", "x", 5):
                sock.sendall(bytes([byte]))
            sock.sendall(b"12345 and more than announced")
            answer = verdict(sock)
            assert answer is not None
            assert answer.type == MessageType.FILE_ACK
        assert inbox(running, "bob") == {"x": b"12345"}
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(where, 20)
        until(lambda: descriptors(bob) == before, "nothing is left open")

    @pytest.mark.parametrize("reset", [True, False])
    def test_sender_vanishes_halfway(self, running: Chat, reset: bool) -> None:
        """4.5."""
        alice, bob = running.wire("alice"), running.terminal("bob")
        before = descriptors(bob)
        asked(alice, "bob", "x")
        bob.expect("[Y/N]")
        bob.type("y\n")
        sock = socket.create_connection(agreed(alice), 20)
        sock.sendall(file_header("alice", "x", 1000) + b"half")
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        bob.expect('Receiving "x" from alice failed')
        assert inbox(running, "bob") == {}
        until(lambda: descriptors(bob) == before, "nothing is left open")
        fence(bob)

    def test_sender_never_connects_or_stalls(self, running: Chat) -> None:
        alice = running.wire("alice")
        bob = running.terminal("bob", "--stall-timeout", "1")
        before = descriptors(bob)
        asked(alice, "bob", "x")
        bob.expect("[Y/N]")
        bob.type("y\n")
        agreed(alice)
        bob.expect("alice did not connect within 1 seconds")
        asked(alice, "bob", "x")
        bob.expect("[Y/N]", after=bob.screen.index("within"))
        bob.type("y\n")
        with socket.create_connection(agreed(alice), 20) as sock:
            sock.sendall(file_header("alice", "x", 1000) + b"half")
            answer = verdict(sock)
            assert answer is not None
            assert answer.type == MessageType.FILE_REJECT
        bob.expect("nothing came for 1 seconds")
        assert inbox(running, "bob") == {}
        until(lambda: descriptors(bob) == before, "nothing is left open")

    def test_disk_full(self, running: Chat) -> None:
        """4.5: both are told, and no half file is left."""
        alice = running.terminal("alice")
        bob = running.terminal("bob", limit="ulimit -f 100")
        (running.directory("alice") / "x").write_bytes(DATA * 4)
        alice.type("/send bob x\n")
        bob.expect("[Y/N]")
        bob.type("y\n")
        bob.expect('Receiving "x" from alice failed: cannot write: file too large')
        alice.expect('Sending "x" to bob failed: cannot write: file too large')
        assert inbox(running, "bob") == {}
        say(bob, "still chatting", "[bob] : still chatting")

    def test_no_inbox_possible(self, running: Chat) -> None:
        alice, bob = running.terminal("alice"), running.terminal("bob")
        (running.directory("bob") / "inbox").write_bytes(b"a file, not a folder")
        (running.directory("alice") / "x").write_bytes(b"x")
        alice.type("/send bob x\n")
        bob.expect("[Y/N]")
        say(bob, "y", 'Cannot receive "x": file exists')
        alice.expect("bob cancelled file transfer.")

    def test_asker_leaves_before_the_answer(self, running: Chat) -> None:
        alice, bob = running.wire("alice"), running.terminal("bob")
        asked(alice, "bob", "first")
        bob.expect('named "first"')
        carol = running.wire("carol")
        asked(carol, "bob", "second")
        alice.reset()
        bob.expect('alice took back "first": alice has left')
        bob.expect('named "second"')
        bob.type("y\n")
        agreed(carol)

    def test_never_answered(self, running: Chat) -> None:
        """A request lapses, and both are told."""
        alice = running.terminal("alice")
        bob = running.terminal("bob", "--request-timeout", "1")
        (running.directory("alice") / "x").write_bytes(b"x")
        alice.type("/send bob x\n")
        bob.expect("[Y/N]")
        bob.expect("The request of alice has lapsed.")
        alice.expect("bob cancelled file transfer.")
        say(bob, "y", "[bob] : y")

    def test_flood_of_requests(self, running: Chat) -> None:
        """Questions wait in line, but not without end."""
        bob = running.terminal("bob")
        for name in ("alice", "carol"):
            wire = running.wire(name)
            for number in range(20):
                wire.send(MessageType.FILE_REQUEST, "bob", f"file{number}".encode())
            wire.fence()
        fence(bob)
        assert bob.screen.count("[Y/N]") == 1


class TestSender:
    """The real client sends, to a receiver of the test's own."""

    def offer(self, running: Chat, data: bytes, *options: str) -> tuple[Terminal, socket.socket]:
        bob = running.wire("bob")
        alice = running.terminal("alice", *options)
        (running.directory("alice") / "x").write_bytes(data)
        alice.type("/send bob x\n")
        return alice, accept_file(bob, "alice")

    def test_what_travels(self, running: Chat) -> None:
        """4.3: one FILE_SEND, straight from the sender; success only with the acknowledgement."""
        alice, sock = self.offer(running, DATA)
        with sock:
            got = b""
            while len(got) < HEADER_SIZE + len(DATA):
                got += sock.recv(65536)
            header = decode_header(got)
            assert header == Header(len(DATA), "alice", MessageType.FILE_SEND, "x")
            assert got[HEADER_SIZE:] == DATA
            fence(alice)
            assert "has received" not in alice.screen
            sock.sendall(encode(Message(MessageType.FILE_ACK, "bob", "x")))
            alice.expect("bob has received the file.")
            assert sock.recv(1) == b""

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (b"", "closed the connection"),
            (encode(Message(MessageType.FILE_REJECT, "bob", "x", b"no room")), "no room"),
            (encode(Message(MessageType.FILE_ACK, "bob", "x")), "before the file was complete"),
            (b"x" * HEADER_SIZE, "nonsense"),
        ],
        ids=["end", "reject", "early", "garbage"],
    )
    def test_receiver_fails_halfway(self, running: Chat, answer: bytes, reason: str) -> None:
        """4.5."""
        alice, sock = self.offer(running, DATA * 20)
        with sock:
            sock.recv(1000)
            sock.sendall(answer)
            sock.shutdown(socket.SHUT_WR)
            alice.expect(f'Sending "x" to bob failed: {"" if reason != "no room" else reason}')
            alice.expect(reason)
        fence(alice)
        assert "has received" not in alice.screen

    def test_receiver_resets(self, running: Chat) -> None:
        alice, sock = self.offer(running, DATA * 20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        alice.expect('Sending "x" to bob failed')
        fence(alice)

    def test_receiver_never_reads(self, running: Chat) -> None:
        alice, sock = self.offer(running, DATA * 20, "--stall-timeout", "1")
        with sock:
            alice.expect('Sending "x" to bob failed: nothing moved for 1 seconds')

    @pytest.mark.parametrize("change", [-1000, 1000])
    def test_file_changes_its_size(self, running: Chat, change: int) -> None:
        """Shorter: it has failed. Longer: what was announced is sent."""
        size = 30_000_000
        alice, sock = self.offer(running, b"")
        sock.close()
        bob = running.wire("rob")
        path = running.directory("alice") / "x"
        path.write_bytes(b"z" * size)
        alice.type("/send rob x\n")
        with accept_file(bob, "alice") as sock:
            assert decode_header(sock.recv(HEADER_SIZE, socket.MSG_WAITALL)).pld_len == size
            os.truncate(path, size + change)
            got = 0
            while got < size and (data := sock.recv(1 << 20)):
                got += len(data)
            assert got == min(size, size + change)
            if change < 0:
                alice.expect("the file became shorter while it was sent")
            else:
                sock.sendall(encode(Message(MessageType.FILE_ACK, "rob", "x")))
                alice.expect("rob has received the file.")

    @pytest.mark.parametrize(
        "address", ["127.0.0.1:1", "somewhere:80", "nonsense", "", "127.0.0.1:0", "::1:x"]
    )
    def test_impossible_address(self, running: Chat, address: str) -> None:
        bob = running.wire("bob")
        alice = running.terminal("alice")
        before = descriptors(alice)
        (running.directory("alice") / "x").write_bytes(b"x")
        alice.type("/send bob x\n")
        bob.expect("x")
        bob.send(MessageType.FILE_ACCEPT, "alice", address.encode())
        alice.expect('Sending "x" to bob failed: cannot connect')
        until(lambda: descriptors(alice) == before, "nothing is left open")
        # The receiver hears of it, and need not wait.
        assert "cannot connect" in bob.expect("cannot connect").text

    def test_asked_user_leaves(self, running: Chat) -> None:
        bob = running.wire("bob")
        alice = running.terminal("alice")
        (running.directory("alice") / "x").write_bytes(b"x")
        alice.type("/send bob x\n")
        bob.expect("x")
        bob.close()
        alice.expect("bob cancelled file transfer. (bob has left)")
