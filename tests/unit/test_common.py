"""The small parts of common/: addresses, lines, harmless text, the outbox, the console."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import addresses, errors, poller
from common.connection import Connection
from common.console import Console
from common.errors import UserError
from common.framing import Decoder
from common.lines import LineBuffer
from common.text import harmless


class TestAddresses:
    @pytest.mark.parametrize(("text", "port"), [("0", 0), ("80", 80), ("65535", 65535)])
    def test_port(self, text: str, port: int) -> None:
        assert addresses.parse_port(text) == port

    @pytest.mark.parametrize(
        "text", ["", "x", "-1", "+80", " 80", "8_0", "65536", "99999999999", "٣", "8.0"]
    )
    def test_no_port(self, text: str) -> None:
        with pytest.raises(UserError, match="port") as raised:
            addresses.parse_port(text)
        assert raised.value.status == errors.USAGE

    @pytest.mark.parametrize(
        ("ip", "port", "text"),
        [("127.0.0.1", 80, "127.0.0.1:80"), ("::1", 8083, "[::1]:8083")],
    )
    def test_written_and_read(self, ip: str, port: int, text: str) -> None:
        assert addresses.format_address(ip, port) == text
        assert addresses.parse_address(text) == (ip, port)

    @pytest.mark.parametrize("text", ["", "127.0.0.1", ":80", "::1:80", "[::1]", "h:", "h:x"])
    def test_no_address(self, text: str) -> None:
        with pytest.raises(UserError):
            addresses.parse_address(text)

    def test_plain_ip(self) -> None:
        assert addresses.plain_ip("::ffff:127.0.0.1") == "127.0.0.1"
        assert addresses.plain_ip("::1") == "::1"
        assert addresses.plain_ip("::ffff:7f00:1") == "::ffff:7f00:1"

    @pytest.mark.parametrize("host", [None, "localhost", "127.0.0.1"])
    def test_listen_and_connect(self, host: str | None) -> None:
        listeners = addresses.listen(host, 0)
        try:
            ports = {listener.getsockname()[1] for listener in listeners}
            assert len(ports) == 1
            addresses.connect(host or "localhost", ports.pop(), 5).close()
        finally:
            for listener in listeners:
                listener.close()

    @pytest.mark.parametrize("host", [None, "127.0.0.1"])
    def test_occupied(self, host: str | None) -> None:
        first = addresses.listen(host, 0)
        try:
            with pytest.raises(UserError, match="another program"):
                addresses.listen(host, first[0].getsockname()[1])
        finally:
            first[0].close()

    def test_refused_and_unknown(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
            with pytest.raises(UserError, match="refused"):
                addresses.connect("127.0.0.1", closed.getsockname()[1], 5)
        with pytest.raises(UserError, match="unknown host"):
            addresses.connect("no host at all", 80, 5)
        with pytest.raises(UserError, match="port 0"):
            addresses.connect("localhost", 0, 5)
        with pytest.raises(UserError, match="does not have"):
            addresses.listen("192.0.2.1", 0)


class TestLines:
    @given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=10))
    def test_cut_anywhere(self, data: bytes, cuts: list[int]) -> None:
        buffer, lines = LineBuffer(), []
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        for start, end in pairwise(edges):
            lines += buffer.receive_data(data[start:end])
        assert [*lines, buffer.take_rest()] == data.split(b"\n")


class TestHarmless:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain été 漢字 🙂\n\ttab", "plain été 漢字 🙂\n\ttab"),
            ("\x1b[2J", "\\x1b[2J"),
            ("a\rb", "a\\x0db"),
            ("a\r\nb", "a\nb"),
            ("\x07\x7f\x9b", "\\x07\\x7f\\x9b"),
            ("\u202eevil", "\\u202eevil"),
            ("nul\0s", "nuls"),
            (b"\xff".decode("utf-8", "surrogateescape"), "\\xff"),
        ],
    )
    def test_shown(self, text: str, shown: str) -> None:
        assert harmless(text) == shown

    @given(st.text())
    def test_nothing_is_left_that_a_terminal_obeys(self, text: str) -> None:
        assert all(
            char in "\n\t" or char.isprintable() or ord(char) > 0x9F for char in harmless(text)
        )


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        yield near, far
        near.close()
        far.close()


class TestConnection:
    def test_outbox_keeps_order_through_partial_sends(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        reported: list[Connection] = []
        connection = Connection(pair[0], Decoder(), limit=1 << 30, has_output=reported.append)
        expected = b""
        for number in range(400):
            piece = bytes([number % 256]) * (number * 97 % 50_000)
            expected += piece
            if piece:
                connection.queue(piece)
        assert reported == [connection]
        assert connection.waiting == len(expected)
        got = b""
        while len(got) < len(expected):
            connection.flush()
            got += pair[1].recv(1 << 20)
        assert got == expected
        assert connection.waiting == 0
        connection.flush()

    def test_told_about_too_much(self, pair: tuple[socket.socket, socket.socket]) -> None:
        reported: list[Connection] = []
        connection = Connection(pair[0], Decoder(), limit=10, has_output=reported.append)
        for _ in range(2):
            connection.queue(b"123456")
        assert len(reported) == 1
        connection.queue(b"one more, with 12 waiting")
        assert len(reported) == 2

    def test_addresses(self, pair: tuple[socket.socket, socket.socket]) -> None:
        connection = Connection(pair[0], Decoder(), limit=1, has_output=lambda _: None)
        assert connection.address == f"127.0.0.1:{pair[1].getsockname()[1]}"


@pytest.mark.parametrize("kind", poller.KINDS)
class TestPoller:
    def test_ready_and_not(self, kind: str) -> None:
        watch = poller.make_poller(kind)
        read, write = os.pipe()
        try:
            watch.register(read, poller.READ)
            assert watch.wait(0) == []
            os.write(write, b"x")
            assert watch.wait(None) == [(read, poller.READ)]
            watch.modify(read, 0)
            assert watch.wait(0) == []
            watch.unregister(read)
        finally:
            os.close(read)
            os.close(write)


class TestConsole:
    def pipes(self) -> tuple[Console, int, int]:
        keys, keyboard = os.pipe()
        screen, output = os.pipe()
        return Console(keys, output), keyboard, screen

    def test_pipe_works_to_its_last_line(self) -> None:
        console, keyboard, _ = self.pipes()
        os.write(keyboard, "été\r\n\nla".encode())
        assert console.read_lines() == ["été", ""]
        os.write(keyboard, b"st")
        assert console.read_lines() == []
        os.close(keyboard)
        assert not console.at_end
        assert console.read_lines() == ["last"]
        assert console.at_end

    def test_bytes_that_are_not_text_can_be_restored(self) -> None:
        console, keyboard, _ = self.pipes()
        os.write(keyboard, b"\xff\xfe\n")
        assert next(iter(console.read_lines())).encode("utf-8", "surrogateescape") == b"\xff\xfe"

    def test_no_prompt_in_a_pipe(self) -> None:
        console, _, screen = self.pipes()
        console.set_prompt("> ")
        console.set_status("half done")
        console.show("hello\x1b[2J")
        console.flush()
        console.close()
        assert os.read(screen, 1000) == b"hello\\x1b[2J\n"

    def test_full_pipe_does_not_block(self) -> None:
        console, _, screen = self.pipes()
        console.show("x" * 1_000_000)
        console.flush()
        before = console.backlog
        assert 0 < before < 1_000_000
        assert os.get_blocking(console.screen_fileno()), "O_NONBLOCK would outlive us"
        while console.backlog:
            os.read(screen, 65536)
            console.flush()

    def test_reader_gone(self) -> None:
        console, _, screen = self.pipes()
        os.close(screen)
        console.show("x")
        with pytest.raises(UserError, match="screen"):
            console.flush()

    @pytest.mark.parametrize(("term", "erase"), [("dumb", b"\r\n"), ("xterm", b"\r\x1b[K")])
    def test_prompt_on_a_terminal(
        self, term: str, erase: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", term)
        master, terminal = pty.openpty()
        console = Console(terminal, terminal)
        console.set_prompt("alice> ")
        console.flush()
        console.show("hello")
        console.flush()
        console.close()
        expected = b"alice> " + erase + b"hello\r\nalice> \r\n"
        seen = b""
        while len(seen) < len(expected):
            seen += os.read(master, 1000)
        assert seen == expected
        assert os.get_blocking(terminal)


def test_standard_files_are_open_whatever_the_caller_closed(tmp_path: Path) -> None:
    program = (
        "import os, sys; from common.errors import exit_status\n"
        "os.close(0)\n"
        "def main(argv): r, w = os.pipe(); return 0 if min(r, w) > 2 else 1\n"
        "sys.exit(exit_status(main, []))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
