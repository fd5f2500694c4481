"""Milestones 1 to 3 as their users meet them: real servers, clients on pseudo-terminals.

One play per requirement. That somebody does *not* see a text is proved by order: after the
sender's round trip, the observer makes one; what was queued for the observer before stands before
its end.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.framing import MAX_TEXT, MessageType
from demo.terminal import Terminal

from .support import PACKAGES, ROOT, Server, Wire, chat, until

ALL = [1, 2, 3, 4]
FRAMED = [2, 3, 4]
ROOMS = [3, 4]


def say(terminal: Terminal, line: str, answer: str) -> str:
    """Type a line and wait for the answer; return what was shown since."""
    start = len(terminal.screen)
    terminal.type(line + "\n")
    terminal.expect(line + "\n", after=start)
    end = terminal.expect(answer, after=start + len(line))
    return terminal.screen[start:end]


def fence(terminal: Terminal) -> None:
    """Make a round trip through the server."""
    say(terminal, "/msg nobodyhere x", "nobodyhere does not exist")


def assert_sees_nothing(sender: Terminal, observer: Terminal, text: str) -> None:
    """Check that what `sender` sent did not come to `observer`."""
    fence(sender)
    fence(observer)
    assert text not in observer.screen


def run(milestone: int, program: str, *args: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run a program to its end; return its exit status, output and errors."""
    done = subprocess.run(
        [sys.executable, "-m", f"{PACKAGES[milestone]}.{program}", *args],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# Every milestone: command lines, beginnings and ends


@pytest.mark.parametrize("milestone", ALL)
@pytest.mark.parametrize(
    ("program", "args", "status", "text"),
    [
        ("client", [], 2, "usage"),
        ("client", ["localhost"], 2, "usage"),
        ("client", ["localhost", "x"], 2, "invalid port 'x': a number from 0 to 65535"),
        ("client", ["localhost", "x"], 2, "usage"),
        ("client", ["localhost", "70000"], 2, "usage"),
        ("client", ["no.such.host.invalid", "8083"], 1, "unknown host"),
        ("client", ["127.0.0.1", "1"], 1, "refused"),
        ("server", [], 2, "usage"),
        ("server", ["-5"], 2, "usage"),
        ("server", ["http"], 2, "invalid port 'http'"),
        ("server", ["--host", "192.0.2.1", "0"], 1, "does not have that address"),
    ],
)
def test_bad_command_line_is_one_clear_line(
    milestone: int, program: str, args: Sequence[str], status: int, text: str
) -> None:
    """1.1, 1.2."""
    code, output, errors = run(milestone, program, *args)
    assert (code, output) == (status, "")
    assert text in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("milestone", ALL)
def test_occupied_port_and_restart_at_once(milestone: int, tmp_path: Path) -> None:
    """1.2."""
    first = Server(milestone, tmp_path)
    wire = Wire(first.port)
    code, _, errors = run(milestone, "server", str(first.port))
    assert code == 1
    assert "another program listens there" in errors
    assert first.stop() == 0  # with a client still connected: TIME_WAIT follows
    wire.close()
    again = subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGES[milestone]}.server", str(first.port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert again.stdout is not None
        assert f"port {first.port}" in again.stdout.readline()
    finally:
        again.terminate()
        again.wait()
        again.stdout.close() if again.stdout else None


@pytest.mark.parametrize("milestone", ALL)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_ends_on_signals_and_clients_say_so(
    milestone: int, number: int, tmp_path: Path
) -> None:
    """1.7; the client's exit status is 1."""
    with chat(milestone, tmp_path) as running:
        alice = running.terminal("alice")
        if milestone == 1:
            say(alice, "hello", "Message received: hello")
        assert running.server.stop(number) == 0
        alice.expect("connection closed by server")
        assert alice.wait() == 1
        assert "Traceback" not in running.server.log + alice.screen


@pytest.mark.parametrize("milestone", ALL)
def test_scripts_run_from_anywhere(milestone: int, tmp_path: Path) -> None:
    package = ROOT / PACKAGES[milestone]
    server = subprocess.Popen(
        [str(package / "server.py"), "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        port = re.findall(r"port (\d+)", line)[0]
        command = line.split("Join with: ")[1].split()
        assert (tmp_path / command[1]).resolve() == package / "client.py"
        done = subprocess.run(
            [str(package / "client.py"), "localhost", port],
            cwd=tmp_path,
            input=b"/quit\n",
            timeout=60,
            check=False,
        )
        assert done.returncode == 0
    finally:
        server.terminate()
        server.wait()
        server.stdout.close() if server.stdout else None


@pytest.mark.parametrize("milestone", ALL)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_both_families(milestone: int, host: str, tmp_path: Path) -> None:
    """N.A: by default the server listens on both."""
    with chat(milestone, tmp_path) as running:
        code, output, errors = run(
            milestone, "client", host, str(running.server.port), stdin=b"/nick al\nhello\n"
        )
        assert (code, errors) == (0, "")
        assert "hello" in output


@pytest.mark.parametrize("milestone", ALL)
@pytest.mark.parametrize("keys", ["/quit\n", "\x04", "\x03"], ids=["quit", "Ctrl-D", "Ctrl-C"])
def test_client_leaves(milestone: int, keys: str, tmp_path: Path) -> None:
    """1.7, 2.13: exit status 0, and the server closes that connection."""
    with chat(milestone, tmp_path) as running:
        baseline = running.server.descriptors()
        alice = running.terminal("alice")
        if milestone == 1:
            say(alice, "hello", "Message received: hello")
        alice.type(keys)
        assert alice.wait() == 0
        until(lambda: running.server.descriptors() == baseline, "the server closes")
        assert "Traceback" not in alice.screen


@pytest.mark.parametrize("milestone", ALL)
def test_one_thread_and_no_cpu_when_idle(milestone: int, tmp_path: Path) -> None:
    """1.3, N.C."""
    with chat(milestone, tmp_path) as running:
        baseline = running.server.descriptors()
        wires = [running.wire() for _ in range(20)]
        wires[0].reset()
        wires[1].close()
        wires[2].sock.sendall(b"half a frame, or line")
        until(lambda: running.server.descriptors() == baseline + 18, "two are gone")
        assert running.server.threads() == 1
        before = running.server.cpu_ticks()
        time.sleep(0.5)  # that nothing spins can only be seen by looking for a while
        assert running.server.cpu_ticks() - before < 5


@pytest.mark.parametrize("milestone", ALL)
def test_log_has_a_line_per_event_or_none(milestone: int, tmp_path: Path) -> None:
    with chat(milestone, tmp_path) as running:
        running.terminal("alice").type("/quit\n")
        assert running.terminals[0].wait() == 0
        until(lambda: re.search("quit|left", running.server.log), "a line about leaving")
        assert "connect 127.0.0.1:" in running.server.log or "connect [::1]:" in running.server.log
    with chat(milestone, tmp_path, "--quiet") as running:
        running.terminal("bob").type("/quit\n")
        assert running.terminals[0].wait() == 0
        assert running.server.log == ""


# Milestone 1


class TestEcho:
    def test_lines_of_every_kind(self, tmp_path: Path) -> None:
        """1.4."""
        with chat(1, tmp_path) as running:
            alice = running.terminal("alice")
            for line in ["Hello, Server!", "back\\slash \\n", "été 漢字 🙂", "", "x" * 900]:
                say(alice, line, f"Message received: {line}\n")

    def test_half_a_line_is_echoed_before_its_end(self, tmp_path: Path) -> None:
        """1.4, reference."""
        with chat(1, tmp_path) as running:
            wire = running.wire()
            wire.sock.sendall(b"half")
            assert wire.sock.recv(100) == b"half"

    def test_to_the_sender_alone(self, tmp_path: Path) -> None:
        """1.6."""
        with chat(1, tmp_path) as running:
            alice, bob = running.terminal("alice"), running.terminal("bob")
            say(alice, "secret", "Message received: secret")
            say(bob, "mine", "Message received: mine")
            assert "secret" not in bob.screen

    def test_text_comes_while_nothing_is_typed(self, tmp_path: Path) -> None:
        """1.5: a server of the test's own speaks first."""
        import socket

        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = str(listener.getsockname()[1])
            client = str(ROOT / PACKAGES[1] / "client.py")
            alice = Terminal([sys.executable, client, "127.0.0.1", port], tmp_path)
            try:
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(b"no newline, \xc3")
                    alice.expect("Message received: no newline, ")
                    peer.sendall(b"\xa9\x1b[2J\n")
                    alice.expect("é\\x1b[2J\n")
                alice.expect("connection closed by server")
                assert alice.wait() == 1
            finally:
                alice.close()

    def test_a_large_pipe_comes_back_unchanged(self, tmp_path: Path) -> None:
        """1.4: far more than any buffer, through partial sends on every side."""
        with chat(1, tmp_path) as running:
            text = b"".join(b"line %d %s\n" % (n, b"y" * (n % 3000)) for n in range(5000))
            code, output, errors = run(
                1, "client", "localhost", str(running.server.port), stdin=text + b"no newline"
            )
            assert (code, errors) == (0, "")
            assert output.replace("Message received: ", "").encode() == text + b"no newline\n"

    def test_slow_reader_is_not_read_either(self, tmp_path: Path) -> None:
        """1.3, 1.B: the flood of one who never reads stops at the kernel's buffers."""
        with chat(1, tmp_path) as running:
            deaf = running.wire(receive_buffer=4096)
            deaf.sock.setblocking(False)
            sent = 0
            with pytest.raises(BlockingIOError):
                while sent < 256 * 1024 * 1024:
                    sent += deaf.sock.send(b"z" * 65536)
            wire = running.wire()
            wire.sock.sendall(b"quick")
            assert wire.sock.recv(100) == b"quick"
            # When it reads at last, nothing is missing.
            deaf.sock.settimeout(20)
            got = 0
            while got < sent:
                got += len(deaf.sock.recv(1 << 20))
            assert got == sent


# Milestone 2


@pytest.mark.parametrize("milestone", FRAMED)
class TestUsers:
    def test_nothing_before_login(self, milestone: int, tmp_path: Path) -> None:
        """2.1."""
        with chat(milestone, tmp_path) as running:
            running.wire("alice")
            bob = running.wire()
            bob.expect("please login with /nick")
            for kind in [*range(1, 3), *range(4, 9)]:
                bob.send(kind, "alice", b"x")
                assert bob.expect("login").infos == ""
            bob.send(MessageType.ECHO_SEND, "", b"secret")
            assert bob.expect("login").text != "secret"
            for name in ["", "a b", "a_b", "x" * 33, "été", "Server", "SERVER", "alice"]:
                bob.send(MessageType.NICKNAME_NEW, name)
                answer = bob.receive()
                assert answer is not None
                assert (answer.type, answer.infos, answer.nick_sender) == (0, "", "Server")
                assert answer.payload
            bob.login("bob")

    def test_on_a_terminal(self, milestone: int, tmp_path: Path) -> None:
        """2.1 to 2.13, as a user does it."""
        with chat(milestone, tmp_path) as running:
            alice = running.terminal("alice")
            bob = running.terminal("bob")
            carol = running.terminal("carol")
            say(bob, "/nick alice", "in use")
            listed = say(alice, "/who", "- carol")
            assert all(f"- {name}\n" in listed + "\n" for name in ("alice", "bob", "carol"))
            whois = say(alice, "/whois bob", "port number ")
            assert re.search(r"bob connected since \d{4}/\d\d/\d\d@\d\d:\d\d with IP", whois)
            say(alice, "/whois nobody", "user nobody does not exist")
            say(alice, "/whoami", "alice connected since")
            alice.type("/msgall good  morning\n")
            bob.expect("[alice] : good  morning")
            carol.expect("[alice] : good  morning")
            fence(alice)
            assert "[alice]" not in alice.screen
            alice.type("/msg bob only you\n")
            bob.expect("[alice] : only you")
            assert_sees_nothing(alice, carol, "only you")
            say(alice, "/msg nobody private", "user nobody does not exist")
            assert_sees_nothing(alice, bob, "private")
            say(alice, "/msg alice me", "cannot write to yourself")
            say(alice, "just text", "[alice] : just text")
            assert_sees_nothing(alice, bob, "just text")
            say(bob, "/nick rob", "you are rob now")
            bob.expect("rob> ")
            bob.type("/msg alice who am I\n")
            alice.expect("[rob] : who am I")
            say(carol, "/nick bob", "you are bob now")
            say(carol, "/quit", "Goodbye.")
            assert carol.wait() == 0
            assert carol.screen.endswith("Goodbye.\n"), "no prompt after the farewell"
            assert "- bob" not in say(alice, "/who", "- rob")

    def test_name_is_free_after_an_abrupt_loss(self, milestone: int, tmp_path: Path) -> None:
        """2.3."""
        with chat(milestone, tmp_path) as running:
            observer = running.wire("observer")
            for _ in range(3):
                running.wire("alice").reset()
                until(lambda: "- alice" not in who(observer), "alice is gone")

    def test_forged_sender_is_never_shown(self, milestone: int, tmp_path: Path) -> None:
        """2.9."""
        with chat(milestone, tmp_path) as running:
            alice, bob = running.wire("alice"), running.wire("bob")
            for kind in (MessageType.UNICAST_SEND, MessageType.BROADCAST_SEND):
                alice.send(kind, "bob", b"forged", nick="Server")
                assert bob.expect("forged").nick_sender == "alice"

    def test_long_lists_come_in_several_texts(self, milestone: int, tmp_path: Path) -> None:
        """2.5: more names than one text can hold."""
        with chat(milestone, tmp_path) as running:
            long_names = {f"{'x' * 27}{number:05}" for number in range(600)}
            wires = [running.wire(name) for name in long_names]
            text = who(wires[0])
            assert set(re.findall(r"- (\w+)", text)) == long_names

    def test_help_and_mistakes(self, milestone: int, tmp_path: Path) -> None:
        with chat(milestone, tmp_path) as running:
            alice = running.terminal("alice")
            say(alice, "/mgs bob x", "unknown command /mgs; there are /nick")
            say(alice, "/msg", "usage: /msg <user> <text>")
            say(alice, "/msg bob", "usage: /msg <user> <text>")
            say(alice, "/nick", "usage: /nick <name>")
            helped = say(alice, "/help", "list these commands")
            assert "/whois <user>" in helped
            say(alice, "/nick " + "y" * 200, "impossible name")
            say(alice, "/nick " + "y" * 100, "at most 32")

    def test_pipe_works_to_its_last_line(self, milestone: int, tmp_path: Path) -> None:
        with chat(milestone, tmp_path) as running:
            bob = running.wire("bob")
            long_line = b"x" * (MAX_TEXT + 1)
            lines = b"/nick alice\n/msgall one\n\n" + long_line + b"\n/msg bob two"
            code, output, errors = run(
                milestone, "client", "localhost", str(running.server.port), stdin=lines
            )
            assert (code, errors) == (0, "")
            assert "too long: 65537 bytes" in output
            assert "> " not in output.replace("INFO> ", "").replace("<your pseudo>", "")
            assert bob.expect("one").nick_sender == "alice"
            assert bob.expect("two").text == "two"

    def test_helpful_to_clients_of_others(self, milestone: int, tmp_path: Path) -> None:
        with chat(milestone, tmp_path) as running:
            alice, bob = running.wire("alice"), running.wire("bob")
            alice.send(MessageType.UNICAST_SEND, "bob \r\n", b"blanks")
            bob.expect("blanks")
            alice.send(MessageType.UNICAST_SEND, "", b"bob hello")
            assert "infos" in alice.expect("missing").text
            alice.send(MessageType.NICKNAME_LIST, "", b"/who")
            alice.expect("- bob")
            alice.send(MessageType.FILE_SEND, "x", b"y")
            alice.expect("does not know that command")
            alice.send(MessageType.ECHO_SEND, "", b"/quit\0")
            assert alice.receive() is None


def who(wire: Wire) -> str:
    """Ask for the users; return the list, which may come in several texts."""
    wire.send(MessageType.NICKNAME_LIST)
    return "\n".join(
        message.text for message in wire.fence() if message.type == MessageType.NICKNAME_LIST
    )


# Milestone 3


@pytest.mark.parametrize("milestone", ROOMS)
class TestRooms:
    def test_on_a_terminal(self, milestone: int, tmp_path: Path) -> None:
        """3.1 to 3.9, as a user does it."""
        with chat(milestone, tmp_path) as running:
            alice = running.terminal("alice")
            bob = running.terminal("bob")
            carol = running.terminal("carol")
            say(alice, "/channel_list", "There are no channels")
            say(alice, "/create a_b", "letters")
            say(alice, "/create " + "r" * 200, "impossible name")
            say(alice, "/create tea", "You have created channel tea")
            alice.expect("alice[tea]> ")
            say(bob, "/create tea", "exists already")
            say(bob, "/join nowhere", "does not exist")
            say(bob, "/join tea", "You have joined tea")
            alice.expect("INFO> bob has joined tea")
            say(carol, "/create coffee", "You have created channel coffee")
            listed = say(carol, "/channel_list", "- coffee")
            assert "- tea" in listed
            alice.type("in the room\n")
            bob.expect("[alice] : in the room")
            assert_sees_nothing(alice, carol, "in the room")
            assert "[alice]" not in alice.screen
            # A refused join leaves the user where they were; a granted one leaves the room.
            say(alice, "/join nowhere", "does not exist")
            alice.type("still here\n")
            bob.expect("[alice] : still here")
            say(bob, "/join coffee", "You have joined coffee")
            alice.expect("INFO> bob has quit tea")
            carol.expect("INFO> bob has joined coffee")
            say(bob, "/quit tea", "you are in coffee, not in tea")
            say(alice, "/join coffee", "You have joined coffee")
            assert "INFO> You were the last user in this channel, tea" in alice.screen
            assert "- tea" not in say(alice, "/channel_list", "- coffee")
            # Lost, not left: the others hear of it all the same.
            carol.process.kill()
            bob.expect("INFO> carol has quit coffee")
            say(bob, "/quit", "You have left coffee")
            say(bob, "/quit coffee", "you are in no channel")
            say(alice, "/quit coffee", "coffee has been destroyed")
            say(alice, "/channel_list", "There are no channels")
            say(alice, "echoed again", "[alice] : echoed again")
            say(alice, "/quit", "Goodbye.")
            assert alice.wait() == 0

    def test_server_goes_by_its_own_record(self, milestone: int, tmp_path: Path) -> None:
        """3.8."""
        with chat(milestone, tmp_path) as running:
            alice, bob = running.wire("alice"), running.wire("bob")
            alice.send(MessageType.MULTICAST_CREATE, "tea")
            bob.send(MessageType.MULTICAST_CREATE, "coffee")
            assert alice.expect("created").infos == "tea"
            bob.send(MessageType.MULTICAST_SEND, "tea", b"intruder")
            assert bob.expect("you are in coffee").nick_sender == "Server"
            assert not any("intruder" in message.text for message in alice.fence())
            bob.send(MessageType.MULTICAST_SEND, "", b"no room named")
            bob.send(MessageType.MULTICAST_QUIT, "")
            assert bob.expect("You have left coffee").infos == "coffee"
            bob.send(MessageType.MULTICAST_SEND, "", b"an echo")
            assert bob.expect("an echo").nick_sender == "bob"
            bob.send(MessageType.MULTICAST_SEND, "tea", b"outside")
            bob.expect("you are in no channel")
            bob.send(MessageType.MULTICAST_QUIT, "tea")
            bob.expect("you are in no channel")
            bob.send(MessageType.MULTICAST_JOIN, "")
            assert "infos" in bob.expect("missing").text
            alice.send(MessageType.MULTICAST_JOIN, "tea")
            alice.expect("you are in tea already")

    def test_pipe_does_not_wait_for_answers(self, milestone: int, tmp_path: Path) -> None:
        """Text typed right behind /join goes to the room, though no answer came yet."""
        with chat(milestone, tmp_path) as running:
            alice = running.wire("alice")
            alice.send(MessageType.MULTICAST_CREATE, "tea")
            alice.expect("created")
            lines = b"/nick bob\n/join tea\nhello tea\n/quit\nhello echo\n/quit\nnever sent\n"
            code, output, _ = run(
                milestone, "client", "localhost", str(running.server.port), stdin=lines
            )
            assert code == 0
            assert alice.expect("hello tea").infos == "tea"
            assert "[bob] : hello echo" in output
            assert "Goodbye." in output
            assert not any("never" in message.text for message in alice.fence())
