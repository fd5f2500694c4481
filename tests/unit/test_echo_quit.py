"""How milestone 1's server finds a line `/quit` in a stream (1.7)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.log import Log
from milestone1_echo.client_list import Client
from milestone1_echo.server import EchoServer

server = EchoServer([], Log(quiet=True))


@pytest.fixture
def client() -> Iterator[Client]:
    with socket.socket() as sock:
        yield Client(sock, "127.0.0.1", 1)


@pytest.mark.parametrize(
    ("reads", "echoed"),
    [
        ([b"/quit\n"], b""),
        ([b"/quit\r\n"], b""),
        ([b"/quit"], b""),
        ([b"hello\n/quit\n"], b"hello\n"),
        ([b"hello\n/quit"], b"hello\n"),
        ([b"hello\n/quit\nnot this\n"], b"hello\n"),
        ([b"/qu", b"it\n"], b"/qu"),
        ([b"/quit\r", b"\n"], None),
        ([b"hello\n/", b"quit", b"\n"], b"hello\n/quit"),
        ([b"\n\n/quit\n"], b"\n\n"),
    ],
)
def test_found(client: Client, reads: list[bytes], echoed: bytes | None) -> None:
    sent = b""
    for data in reads:
        before = server.find_quit(client, data)
        if before is not None:
            sent += before
            if echoed is not None:
                assert sent == echoed
            return
        sent += data
    raise AssertionError("no /quit was found")


@pytest.mark.parametrize(
    "reads",
    [
        [b"/qui\n"],
        [b"/quitt\n"],
        [b" /quit\n"],
        [b"x/quit\n"],
        [b"x", b"/quit\n"],
        [b"a long line, and then ", b"/quit\n"],
        [b"/quit now\n"],
        [b"/qu", b"it"],
        [b"/qu", b"it", b"ter\n"],
        [b"a\n/qu", b"it!"],
    ],
)
def test_not_found(client: Client, reads: list[bytes]) -> None:
    assert [server.find_quit(client, data) for data in reads] == [None] * len(reads)


@given(st.lists(st.sampled_from([b"/", b"quit", b"/quit", b"\n", b"\r\n", b"x"]), min_size=1))
def test_cut_into_reads_with_newlines_at_the_end(pieces: list[bytes]) -> None:
    """Byte by byte, a quit is found exactly where a whole line is one."""
    stream = b"".join(pieces) + b"\n"
    with socket.socket() as sock:
        client = Client(sock, "127.0.0.1", 1)
        found = any(
            server.find_quit(client, stream[i : i + 1]) is not None for i in range(len(stream))
        )
    lines = [line.removesuffix(b"\r") for line in stream.split(b"\n")[:-1]]
    assert found == (b"/quit" in lines)
