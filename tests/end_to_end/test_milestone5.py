"""Milestone 5 from the outside: real processes, clients on pseudo-terminals, raw sockets.

Every wait has a deadline and ends when what it waits for is there. That something did *not*
arrive is proved by order: its sender has its confirmation, then the observer asks WHO, and what
was queued for the observer before stands before the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.json_stream import MAX_OBJECT, NEED_MORE, Decoder

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
PASSWORD = "correct-horse"

Message = dict[str, Any]


def until(condition: Callable[[], Any], what: str) -> Any:
    """Look again and again until the condition holds; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.005)
    return result


class Server:
    """A server process on a free port, its log in a file."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.log_file = directory / "server.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "milestone5_threads.server", *options, "0"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.port = int(re.findall(rb"port (\d+)", self.process.stdout.readline())[0])

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_time(self) -> int:
        """Clock ticks spent so far, by all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def resident(self) -> int:
        """Resident size in KiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0])

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send the signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Peer:
    """A client on the wire: sends any bytes, reads objects, remembers them."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection((host, port), timeout=DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.decoder = Decoder()
        self.seen: list[Message] = []

    def send(self, data: Message | bytes) -> None:
        self.sock.sendall(data if isinstance(data, bytes) else json.dumps(data).encode())

    def receive(self) -> Message | None:
        """Return the next object; None when the server has closed."""
        while (value := self.decoder.next_value()) is NEED_MORE:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.decoder.receive_data(data)
        assert isinstance(value, dict)
        self.seen.append(value)
        return value

    def receive_type(self, kind: str) -> Message:
        """Return the next object of that type; others are remembered."""
        while (value := self.receive()) is not None:
            if value["type"] == kind:
                return value
        pytest.fail(f"closed before {kind!r} came; until then: {self.seen}")

    def ask(self, request: Message | bytes, kind: str) -> Message:
        self.send(request)
        return self.receive_type(kind)

    def login(self, name: str, password: str = PASSWORD) -> Peer:
        request = {"command": "login", "username": name, "password": password}
        assert name in self.ask(request, "update_users")["users"]
        return self

    def who(self) -> list[str]:
        users = self.ask({"command": "WHO"}, "active_users")["users"]
        assert isinstance(users, list)
        return users

    def read_to_end(self) -> list[Message]:
        while self.receive() is not None:
            pass
        return self.seen

    def has_seen(self, token: str) -> bool:
        self.who()  # the fence: what was queued for us before is in `seen` now
        return token in json.dumps(self.seen)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Screen:
    """A client on a pseudo-terminal with echo on, as a person has it."""

    def __init__(
        self, port: int, *, host: str = "localhost", term: str = "dumb", cwd: Path = ROOT
    ) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "milestone5_threads/client.py"), host, str(port)],
            cwd=cwd,
            env={**os.environ, "TERM": term},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""
        self.read = 0

    def sees(self, pattern: str) -> str:
        """Wait until the pattern appears behind what was seen last; return its match."""
        deadline = time.monotonic() + DEADLINE
        while not (found := re.compile(pattern).search(self.text, self.read)):
            left = deadline - time.monotonic()
            assert left > 0 and self.take(left), f"no {pattern!r} in {self.text[self.read :]!r}"
        self.read = found.end()
        return found.group()

    def take(self, timeout: float) -> bool:
        """Read once; say False at the end of the output, or when nothing came."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the client has closed its side
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def types(self, line: str) -> None:
        os.write(self.master, line.encode() + b"\n")

    def login(self, name: str, password: str = PASSWORD) -> Screen:
        self.sees("User name")
        self.types(name)
        self.sees("Password: ")
        self.types(password)
        self.sees(rf"Active users: .*\b{name}\b")
        self.sees("Operation")
        return self

    def ends(self) -> int:
        """Wait until the client ends by itself; return its exit status."""
        while self.take(DEADLINE):
            pass
        return self.process.wait(DEADLINE)

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Stage:
    """Starts everything, and ends everything that was started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cleanup: list[Callable[[], None]] = []
        self.server = self.start_server()

    def start_server(self, *options: str) -> Server:
        server = Server(self.directory, *options)
        self.cleanup.append(server.end)
        return server

    def peer(self, name: str = "", host: str = "127.0.0.1") -> Peer:
        peer = Peer(self.server.port, host)
        self.cleanup.append(peer.sock.close)
        return peer.login(name) if name else peer

    def screen(self, name: str = "", **how: Any) -> Screen:
        screen = Screen(self.server.port, **how)
        self.cleanup.append(screen.close)
        return screen.login(name) if name else screen


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for step in reversed(stage.cleanup):
        step()


# 5.1: objects on a stream


@pytest.mark.parametrize(
    "gap", [b"", b" ", b"\n", b"\r\n \t"], ids=["nothing", "blank", "nl", "all"]
)
@pytest.mark.parametrize("size", [1, 7, 100_000], ids=["bytes", "sevens", "whole"])
def test_5_1_any_separator_and_any_cut(stage: Stage, gap: bytes, size: int) -> None:
    requests: list[Message] = [
        {"command": "login", "username": "alice", "password": 'é{"}\\'},
        {"command": "WHO"},
        {"command": "DM", "to": "nobody", "message": "}{"},
        {"command": "WHO"},
    ]
    stream = gap.join(json.dumps(r, ensure_ascii=False).encode() for r in requests) + gap
    peer = stage.peer()
    for start in range(0, len(stream), size):
        peer.send(stream[start : start + size])
    kinds: list[str] = []
    while len(kinds) < 4:
        kinds.append((peer.receive() or {})["type"])
    assert kinds == ["update_users", "active_users", "error", "active_users"]


def test_5_1_a_peer_that_takes_one_recv_for_one_object(stage: Stage) -> None:
    """`json.loads(sock.recv(1024))`, in lock-step: one answer per request, one per segment."""
    sock = stage.peer().sock

    def ask(request: Message) -> Message:
        sock.sendall(json.dumps(request).encode())
        answer = json.loads(sock.recv(1024))
        assert isinstance(answer, dict)
        return answer

    login = {"command": "login", "username": "alice", "password": "x"}
    assert ask(login) == {"type": "update_users", "users": ["alice"]}
    assert ask({"command": "PM", "message": "hi"})["type"] == "confirmation"
    assert ask({"command": "who"}) == {"type": "active_users", "users": ["alice"]}
    bob = stage.peer("bob")
    assert json.loads(sock.recv(1024)) == {"type": "update_users", "users": ["alice", "bob"]}
    bob.ask({"command": "PM", "message": "m" * 900}, "confirmation")
    expected = {"type": "broadcast", "from": "bob", "message": "m" * 900}
    assert json.loads(sock.recv(1024)) == expected


# 5.2: accounts


def test_5_2_new_name_wrong_password_name_in_use_and_again(stage: Stage) -> None:
    alice = stage.peer("alice")
    other = stage.peer()
    login = {"command": "login", "username": "alice", "password": "wrong"}
    assert "assword" in other.ask(login, "error")["message"]
    login["password"] = PASSWORD
    assert "already" in other.ask(login, "error")["message"]
    assert alice.who() == ["alice"]
    other.login("bob")
    assert alice.who() == ["alice", "bob"]
    alice.ask(b'{"command": "login", "username": "carol", "password": "x"}', "error")
    assert alice.who() == ["alice", "bob"], "who is logged in keeps its name"


def test_5_2_an_account_outlives_its_session(stage: Stage) -> None:
    alice = stage.peer("alice")
    alice.send({"command": "EX"})
    alice.read_to_end()
    thief = stage.peer()
    thief.ask({"command": "login", "username": "alice", "password": "guess"}, "error")
    thief.login("alice")


def test_5_2_without_a_password_it_is_asked_for(stage: Stage) -> None:
    peer = stage.peer()
    answer = peer.ask({"command": "login", "username": "alice"}, "password_required")
    assert answer["username"] == "alice"
    peer.login("alice")


@pytest.mark.parametrize("name", ["", " ", "a b", "é", "a" * 33, "a\u0000", "Server", "a/b"])
def test_5_2_names_that_are_none(stage: Stage, name: str) -> None:
    peer = stage.peer()
    peer.ask({"command": "login", "username": name, "password": "x"}, "error")
    assert peer.login("alice").who() == ["alice"]


@pytest.mark.parametrize("password", ["", "x" * 129, "x\u0000"])
def test_5_2_passwords_that_are_none(stage: Stage, password: str) -> None:
    peer = stage.peer()
    peer.ask({"command": "login", "username": "alice", "password": password}, "error")
    peer.login("alice")


def test_5_2_attempts_are_bounded(stage: Stage) -> None:
    stage.peer("alice")
    guesser = stage.peer()
    for number in range(5):
        guesser.send({"command": "login", "username": "alice", "password": f"guess{number}"})
    answers = guesser.read_to_end()
    assert [answer["type"] for answer in answers] == ["error"] * 5
    stage.peer("bob")


def test_5_2_a_file_keeps_accounts_across_a_restart(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    stage.server = first = stage.start_server("--accounts", str(path))
    stage.peer("alice")
    first.stop()
    stage.server = stage.start_server("--accounts", str(path))
    peer = stage.peer()
    peer.ask({"command": "login", "username": "alice", "password": "guess"}, "error")
    peer.login("alice")
    assert PASSWORD.encode() not in path.read_bytes()


def test_5_2_no_password_in_the_log_nor_on_the_screen(stage: Stage) -> None:
    screen = stage.screen("alice")
    peer = stage.peer()
    peer.ask({"command": "login", "username": "alice", "password": "guess-77"}, "error")
    peer.ask(b'{"command": "login", "password": "broken-77",}', "error")
    peer.ask({"command": "login", "username": ["x"], "password": "typed-77"}, "error")
    stage.server.stop()
    screen.ends()
    assert "alice" in stage.server.log
    for secret in (PASSWORD, "guess-77", "broken-77", "typed-77"):
        assert secret not in stage.server.log
        assert secret not in screen.text


# 5.3 to 5.9: the conversation, on the wire


def test_5_3_5_4_lists_on_login_logout_and_loss(stage: Stage) -> None:
    alice = stage.peer("alice")
    assert alice.seen == [{"type": "update_users", "users": ["alice"]}]
    bob, carol = stage.peer("bob"), stage.peer("carol")
    assert alice.receive_type("update_users")["users"] == ["alice", "bob"]
    assert alice.receive_type("update_users")["users"] == ["alice", "bob", "carol"]
    bob.send({"command": "EX"})
    assert alice.receive_type("update_users")["users"] == ["alice", "carol"]
    carol.reset()
    assert alice.receive_type("update_users")["users"] == ["alice"]


def test_5_5_pm_reaches_all_others_and_not_its_sender(stage: Stage) -> None:
    alice, bob, carol = stage.peer("alice"), stage.peer("bob"), stage.peer("carol")
    stranger = stage.peer()
    text = 'été 🎉 "quoted" \\ {"a": 1}\nline two'
    alice.ask({"command": "pm", "message": text}, "confirmation")
    expected = {"type": "broadcast", "from": "alice", "message": text}
    for other in (bob, carol):
        assert other.receive_type("broadcast") == expected
    alice.who()
    assert expected not in alice.seen
    stranger.ask({"command": "WHO"}, "error")
    assert len(stranger.seen) == 1, "who has not logged in receives nothing"


@pytest.mark.parametrize("key", ["to", "recipient"])
def test_5_6_dm_reaches_that_user_alone(stage: Stage, key: str) -> None:
    alice, bob, carol = stage.peer("alice"), stage.peer("bob"), stage.peer("carol")
    forged = {"command": "dm", key: "bob", "message": "token-1", "from": "carol", "username": "x"}
    alice.ask(forged, "confirmation")
    expected = {"type": "direct_message", "from": "alice", "message": "token-1"}
    assert bob.receive_type("direct_message") == expected
    assert not carol.has_seen("token-1")
    assert not alice.has_seen("token-1")


def test_5_7_dm_to_nobody(stage: Stage) -> None:
    alice, bob = stage.peer("alice"), stage.peer("bob")
    alice.ask({"command": "DM", "to": "zoe", "message": "token-2"}, "error")
    alice.ask({"command": "DM", "to": "alice", "message": "token-2"}, "error")
    assert not bob.has_seen("token-2")


def test_5_8_who_lists_exactly_the_active_users(stage: Stage) -> None:
    alice, bob = stage.peer("alice"), stage.peer("bob")
    stage.peer()
    assert alice.who() == bob.who() == ["alice", "bob"]


def test_5_9_ex_closes_and_who_sees_the_end_knows_that_the_name_is_free(stage: Stage) -> None:
    alice, bob = stage.peer("alice"), stage.peer("bob")
    bob.send({"command": "eX"})
    assert bob.receive() is None
    assert alice.who() == ["alice"]
    stage.peer("bob")
    stranger = stage.peer()
    stranger.send({"command": "EX"})
    assert stranger.receive() is None, "EX works before login"


# 5.3 to 5.9 on a terminal


def test_5_3_to_5_9_step_by_step_and_on_one_line(stage: Stage) -> None:
    alice, bob = stage.screen("alice"), stage.screen("bob")
    alice.sees(r"Active users: alice, bob")
    alice.types("PM")
    alice.sees("Message: ")
    alice.types("hello all of you")
    bob.sees(r"alice.*hello all of you")
    alice.sees("sent")
    bob.types("dm")
    bob.sees("Recipient: ")
    bob.types("alice")
    bob.sees("Message: ")
    bob.types("just you")
    alice.sees("bob.*just you")
    alice.types("/dm bob on one line")
    bob.sees("alice.*on one line")
    alice.types("dm zoe are you there")
    alice.sees("no user 'zoe'")
    alice.types("Who")
    alice.sees("Active users: alice, bob")
    alice.types("/help")
    alice.sees("step by step")
    bob.types("ex")
    assert bob.ends() == 0
    alice.sees(r"Active users: alice\r?\n")
    for screen in (alice, bob):
        assert "Traceback" not in screen.text


def test_5_2_on_a_terminal_wrong_password_then_right(stage: Stage) -> None:
    stage.peer("alice").send({"command": "EX"})
    screen = stage.screen()
    screen.sees("User name")
    screen.types("alice")
    screen.sees("Password: ")
    assert not screen.echoes()
    screen.types("wrong-one")
    screen.sees("Wrong password")
    screen.login("alice")
    assert screen.echoes()
    assert "wrong-one" not in screen.text


def test_pipes_see_no_prompts_and_everything_is_answered(stage: Stage) -> None:
    bob = stage.peer("bob")
    done = subprocess.run(
        [sys.executable, "-m", "milestone5_threads.client", "localhost", str(stage.server.port)],
        cwd=ROOT,
        input=f"alice\n{PASSWORD}\nPM from a pipe\nWHO",
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert bob.receive_type("broadcast")["message"] == "from a pipe"
    assert (done.returncode, done.stderr) == (0, "")
    assert "Active users: alice, bob" in done.stdout
    assert "Operation" not in done.stdout


# 5.10: threads


def test_5_10_threads_come_and_go_with_connections(stage: Stage) -> None:
    before = stage.server.threads()
    peers = [stage.peer(f"user{i}") for i in range(4)] + [stage.peer()]
    assert before + len(peers) <= stage.server.threads() <= before + 2 * len(peers)
    for peer in peers[:2]:
        peer.send({"command": "EX"})
    peers[2].reset()
    peers[3].sock.close()
    peers[4].sock.shutdown(socket.SHUT_WR)
    until(lambda: stage.server.threads() == before, "the threads end with their connections")


def test_5_10_the_client_has_two_threads(stage: Stage) -> None:
    screen = stage.screen("alice")
    assert len(os.listdir(f"/proc/{screen.process.pid}/task")) == 2


def test_5_10_one_client_too_many_is_told_and_has_room_later(stage: Stage) -> None:
    stage.server = stage.start_server("--max-clients", "2")
    alice = stage.peer("alice")
    bob = stage.peer("bob")
    third = stage.peer()
    assert "full" in third.receive_type("error")["message"]
    assert third.receive() is None
    bob.send({"command": "EX"})
    bob.read_to_end()
    bob.sock.close()

    def gets_in() -> bool:
        answer = stage.peer().ask(b'{"command": "WHO"}', "error")
        return "log in" in str(answer["message"])

    until(gets_in, "there is room again")
    assert alice.who() == ["alice"]


# 5.11: the server goes down


PLACES: dict[str, list[tuple[str, str]]] = {
    "user name": [("User name", "")],
    "password": [("User name", "alice"), ("Password: ", "")],
    "operation": [("User name", "alice"), ("Password: ", "pw"), ("Operation", "")],
    "message": [("User name", "alice"), ("Password: ", "pw"), ("Operation", "PM"), ("Message", "")],
    "recipient": [("User name", "alice"), ("Password: ", "pw"), ("Operation", "DM"), ("Recip", "")],
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("place", PLACES)
def test_5_11_the_client_says_so_and_ends_at_every_prompt(
    stage: Stage, place: str, number: int
) -> None:
    screen = stage.screen()
    for prompt, answer in PLACES[place]:
        screen.sees(prompt)
        if answer:
            screen.types(answer)
    until(lambda: "connected" in stage.server.log, "the server has accepted the client")
    status = stage.server.stop(number)
    assert screen.ends() == 1
    assert "closed the connection" in screen.text
    assert "Traceback" not in screen.text
    assert screen.echoes(), "the terminal echoes again"
    if number != signal.SIGKILL:
        assert status == 0
        assert "shutting down" in screen.text


def test_5_11_ctrl_c_tells_everybody_and_ends_whatever_its_threads_wait_for(stage: Stage) -> None:
    alice, silent, half = stage.peer("alice"), stage.peer(), stage.peer()
    half.send(b'{"command": "log')
    stage.peer("bob")
    guesser = stage.peer()
    guesser.send({"command": "login", "username": "bob", "password": "guess"})  # will pause
    until(lambda: "login refused" in stage.server.log, "the guesser's thread pauses")
    assert stage.server.stop() == 0
    for peer in (alice, silent, half):
        assert "shutting down" in peer.read_to_end()[-1]["message"]
    assert "Traceback" not in stage.server.log


def test_5_11_a_reader_that_does_not_read_does_not_keep_the_server_from_ending(
    stage: Stage,
) -> None:
    flood_a_silent_reader(stage, 40)
    assert stage.server.stop() == 0


# 5.12 and 5.B: malformed input


def nested(depth: int) -> bytes:
    return b'{"command": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}"


OFFENCES = {
    "a number as username": b'{"command": "login", "username": 5, "password": "x"}',
    "a number as password": b'{"command": "login", "username": "mallory", "password": 5}',
    "a list as username": b'{"command": "login", "username": ["a"], "password": "x"}',
    "an object as password": b'{"command": "login", "username": "mallory", "password": {"a": 1}}',
    "no username": b'{"command": "login", "password": "x"}',
    "a list as message": b'{"command": "PM", "message": ["a", "b"]}',
    "null as message": b'{"command": "PM", "message": null}',
    "no message": b'{"command": "PM"}',
    "an empty message": b'{"command": "PM", "message": ""}',
    "a number as recipient": b'{"command": "DM", "to": 7, "message": "hi"}',
    "no recipient": b'{"command": "DM", "message": "hi"}',
    "a number as command": b'{"command": 5}',
    "a list as command": b'{"command": ["PM"], "message": "hi"}',
    "no command": b'{"message": "hi"}',
    "an empty object": b"{}",
    "an unknown command": b'{"command": "SHUTDOWN"}',
    "a private method's name": b'{"command": "__init__"}',
    "a list": b'[{"command": "WHO"}]',
    "nesting 10,000 deep": nested(9_999),
    "lists 10,000 deep": b'{"command": ' + b"[" * 9_999 + b"]" * 9_999 + b"}",
    "invalid UTF-8": b'{"command": "PM", "message": "\xff\xfe"}',
    "half a surrogate pair": b'{"command": "PM", "message": "\\ud800"}',
    "NaN": b'{"command": "PM", "message": NaN}',
    "Infinity": b'{"command": "PM", "message": "x", "n": Infinity}',
    "duplicate keys": b'{"command": "PM", "message": "a", "message": "b"}',
    "not JSON": b"{'command': 'WHO'}",
    "text": b"hello there\n",
    "another protocol": b"GET / HTTP/1.1\r\n",
    "too large": b'{"command": "PM", "message": "' + b"x" * MAX_OBJECT + b'"}',
}


@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "before login"])
@pytest.mark.parametrize("offence", OFFENCES.values(), ids=OFFENCES.keys())
def test_5_12_an_offence_gets_an_error_and_nobody_else_notices(
    stage: Stage, offence: bytes, logged_in: bool
) -> None:
    alice = stage.peer("alice")
    mallory = stage.peer("mallory" if logged_in else "")
    known = list(alice.seen)
    mallory.ask(offence, "error")
    if logged_in:
        known.append(alice.receive_type("update_users"))
        assert mallory.who() == ["alice", "mallory"], "the offender can go on"
    else:
        mallory.login("mallory")
        known.append(alice.receive_type("update_users"))
    assert alice.who() == ["alice", "mallory"]
    assert alice.seen == [*known, {"type": "active_users", "users": ["alice", "mallory"]}]
    assert "Traceback" not in stage.server.log


@pytest.mark.parametrize(
    "request_",
    [
        b'{"command":"PM","message":"t-3"}',
        b'{"command":"DM","to":"alice","message":"t-3"}',
        b'{"command":"WHO"}',
    ],
)
def test_5_12_before_login_nothing_else_has_an_effect(stage: Stage, request_: bytes) -> None:
    alice, stranger = stage.peer("alice"), stage.peer()
    answer = stranger.ask(request_, "error")
    assert "alice" not in json.dumps(answer)
    assert not alice.has_seen("t-3")
    assert alice.who() == ["alice"]


def test_5_12_messages_of_900_characters_and_as_long_as_can_be(stage: Stage) -> None:
    alice, bob = stage.peer("alice"), stage.peer("bob")
    for text in ("é" * 900, "x" * 60_000):
        alice.ask({"command": "DM", "to": "bob", "message": text}, "confirmation")
        assert bob.receive_type("direct_message")["message"] == text
    fits_in_but_not_out = b'{"command":"PM","message":"' + b"x" * (MAX_OBJECT - 29) + b'"}'
    alice.ask(fits_in_but_not_out, "error")
    assert not bob.has_seen("x" * 61_000)


def test_5_12_who_sends_nothing_but_nonsense_is_closed(stage: Stage) -> None:
    alice, mallory = stage.peer("alice"), stage.peer("mallory")
    assert alice.receive_type("update_users")["users"] == ["alice", "mallory"]
    with contextlib.suppress(OSError):  # closed before the last
        for _ in range(1000):
            mallory.send(b"nonsense\n")
    assert len(mallory.read_to_end()) <= 2 + 20
    assert alice.receive_type("update_users")["users"] == ["alice"]


RAW = {
    "a reset": b"",
    "half an object": b'{"command": "PM", "mess',
    "a huge unfinished string": b'{"command": "' + b"x" * 1_000_000,
    "escapes without end": b'{"command": "' + b"\\" * 200_001,
    "brackets without end": b"[" * 200_000,
    "zero bytes": bytes(10_000),
    "random bytes": bytes((i * 7919 + i * i * 31) % 256 for i in range(100_000)),
}


@pytest.mark.parametrize("leave", ["stay", "close", "reset"])
@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
def test_5_b_raw_offences_harm_nobody(stage: Stage, raw: bytes, leave: str) -> None:
    alice, mallory = stage.peer("alice"), stage.peer()
    with contextlib.suppress(OSError):  # dropped before the last byte
        mallory.send(raw)
    if leave == "close":
        mallory.sock.close()
    elif leave == "reset":
        mallory.reset()
    bob = stage.peer("bob")
    bob.ask({"command": "PM", "message": "still here"}, "confirmation")
    assert alice.receive_type("broadcast")["message"] == "still here"
    assert "Traceback" not in stage.server.log


def flood_a_silent_reader(stage: Stage, count: int) -> tuple[Peer, Peer]:
    """Send `count` long messages to somebody who never reads; return sender and reader."""
    silent = Peer.__new__(Peer)
    silent.sock = socket.socket()
    stage.cleanup.append(silent.sock.close)
    silent.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent.sock.settimeout(DEADLINE)
    silent.sock.connect(("127.0.0.1", stage.server.port))
    silent.decoder, silent.seen = Decoder(), []
    silent.login("silent")
    alice = stage.peer("alice")
    for _ in range(count):
        alice.ask({"command": "PM", "message": "x" * 60_000}, "confirmation")
    return alice, silent


def test_5_b_a_reader_that_never_reads_delays_nobody_and_is_dropped(stage: Stage) -> None:
    """Every message is confirmed at once; far beyond what may wait, the silent one is dropped."""
    before = stage.server.threads()
    alice, silent = flood_a_silent_reader(stage, 200)
    until(lambda: alice.who() == ["alice"], "the silent reader is dropped")
    silent.sock.close()
    until(lambda: stage.server.threads() <= before + 2, "its threads end")


def test_5_b_an_honest_but_slow_reader_loses_nothing(stage: Stage) -> None:
    """What fits the bound waits for whoever reads late."""
    _alice, silent = flood_a_silent_reader(stage, 40)
    for _ in range(40):
        assert len(silent.receive_type("broadcast")["message"]) == 60_000


# 5.B, the client: a server from hell


class FakeServer:
    """Accepts one client, reads what it sends, says what the test wants."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(DEADLINE)
        self.port = self.listener.getsockname()[1]
        self.received = b""

    def accept(self) -> None:
        self.sock, _ = self.listener.accept()
        self.sock.settimeout(DEADLINE)

    def waits_for(self, piece: bytes) -> None:
        while piece not in self.received:
            data = self.sock.recv(65536)
            assert data, f"closed before {piece!r}"
            self.received += data


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.listener.close()
    if hasattr(fake, "sock"):
        fake.sock.close()


@pytest.fixture
def screen(fake: FakeServer, tmp_path: Path) -> Iterator[Screen]:
    screen = Screen(fake.port, host="127.0.0.1", cwd=tmp_path)
    fake.accept()
    yield screen
    screen.close()


def fake_login(fake: FakeServer, screen: Screen, answer: bytes) -> None:
    screen.sees("User name")
    screen.types("alice")
    screen.sees("Password: ")
    screen.types("pw")
    fake.waits_for(b'"password": "pw"')
    fake.sock.sendall(answer)


LIST = b'{"type":"update_users","users":["alice"]}'


def test_5_b_the_client_survives_whatever_a_server_sends(
    fake: FakeServer, screen: Screen, tmp_path: Path
) -> None:
    fake_login(fake, screen, LIST)
    screen.sees("Operation")
    for piece in (
        b"\xff\xfe garbage \x1b]0;owned\x07\n",
        b'{"type": 5, "users": 7, "message": ["x"]}{"users": {"a": 1}}{}',
        b'{"type": "broadcast"}{"type": "direct_message", "from": null, "message": 1.5}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"type": "broadcast", "from": "x\\u001b[2J", "message": "\\u001b[31mred\\r\\n[bob] hi"}',
        b'{"message": "' + b"x" * 2_000_000 + b'"}',
        b'{"message": "the end"}',
    ):
        fake.sock.sendall(piece)
    screen.sees("the end")
    assert "\x1b" not in screen.text and "\x07" not in screen.text
    assert "Traceback" not in screen.text
    assert not re.search(r"(?m)^\[bob\]", screen.text), "no line that looks like another's"
    fake.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    fake.sock.close()
    assert screen.ends() == 1
    assert "Traceback" not in screen.text
    assert list(tmp_path.iterdir()) == []


def test_the_client_works_with_a_server_that_confirms_first(
    fake: FakeServer, screen: Screen
) -> None:
    fake_login(fake, screen, b'{"type":"confirmation","message":"Welcome!"}')
    screen.sees("Welcome!")
    fake.sock.sendall(LIST)
    screen.sees("Operation")


def test_the_client_works_with_a_server_that_refuses_by_confirmation(
    fake: FakeServer, screen: Screen
) -> None:
    fake_login(fake, screen, b'{"type":"confirmation","message":"mauvais mot de passe"}')
    screen.sees("mauvais mot de passe")
    fake.received = b""
    fake_login(fake, screen, LIST)
    screen.sees("Operation")


def test_the_client_prompts_for_a_password_that_is_required(
    fake: FakeServer, screen: Screen
) -> None:
    fake_login(fake, screen, b'{"type":"password_required","username":"alice"}')
    screen.sees("Password, please: ")
    screen.types("another")
    fake.waits_for(b'"password": "another"')
    fake.sock.sendall(LIST)
    screen.sees("Operation")


# 5.A and 5.C


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_5_a_both_families(stage: Stage, host: str) -> None:
    try:
        peer = stage.peer("alice", host)
    except OSError as error:
        if host == "::1":
            pytest.skip(f"no IPv6 here: {error}")
        raise
    screen = stage.screen("bob", host=host)
    peer.ask({"command": "DM", "to": "bob", "message": "both ways"}, "confirmation")
    screen.sees("alice.*both ways")


def test_5_c_idle_costs_nothing_and_everything_returns_to_the_baseline(stage: Stage) -> None:
    """Thirty logins and leaves, by EX, reset and close; then half a second of nothing."""
    for number in range(6):
        stage.peer(f"warm{number}").reset()
    server = stage.server
    until(lambda: "warm5 (" in server.log and server.threads() == 3, "warm-up")
    descriptors, resident = server.descriptors(), server.resident()
    for number in range(30):
        peer = stage.peer(f"user{number}")
        if number % 3 == 0:
            peer.reset()
            continue
        if number % 3 == 1:
            peer.send({"command": "EX"})
            peer.read_to_end()
        peer.sock.close()
    until(lambda: server.threads() == 3, "threads return to the baseline")
    until(lambda: server.descriptors() == descriptors, "descriptors return to the baseline")
    assert server.resident() - resident < 30 * 40
    watching = threading.Event()
    before = server.processor_time()
    watching.wait(0.5)  # the one place where a check must wait: for nothing to happen
    assert server.processor_time() - before <= 1


# Arguments


@pytest.mark.parametrize(
    ("program", "arguments", "status"),
    [
        ("server", [], 2),
        ("server", ["x"], 2),
        ("server", ["70000"], 2),
        ("server", ["--max-clients", "0", "0"], 2),
        ("server", ["--accounts", "/", "0"], 1),
        ("client", ["localhost"], 2),
        ("client", ["localhost", "x"], 2),
        ("client", ["no.such.host.invalid", "1"], 1),
    ],
)
def test_bad_arguments_get_one_clear_line(program: str, arguments: list[str], status: int) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "milestone5_threads" / f"{program}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
