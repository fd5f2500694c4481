"""1.1 and 1.2: what is typed to start the programs, and what they say when it is wrong."""

from __future__ import annotations

import pytest

from tests.harness.chat import Chat
from tests.harness.marks import on_terminal, requirement
from tests.harness.process import Program
from tests.harness.settings import fill


def refuses(chat: Chat, program: Program, because: str) -> None:
    """The program says something, and exits with a status other than 0, without a crash."""
    chat.acts(program.name, f"is started {because}")
    chat.wait_for(lambda: not program.running or bool(program.listening_ports()), seconds=5)
    chat.require(
        not program.running, f"the {program.name} ends when started {because}", "It goes on."
    )
    chat.settle()
    said = program.output.since(0)
    chat.require(
        not program.crashed and b"Traceback (most recent call last)" not in said,
        f"the {program.name} ends in an orderly way when started {because}",
        f"It {program.end_in_words}.{chat.tail(program)}",
    )
    chat.require(
        program.exit_status != 0,
        f"the {program.name} exits with a status other than 0 when started {because}",
        f"It {program.end_in_words}.",
    )
    chat.require(
        bool(said.strip()),
        f"the {program.name} says what is wrong when started {because}",
        "It printed nothing.",
    )


def start_client(chat: Chat, *arguments: str) -> Program:
    """Start the client with these arguments."""
    return chat.launch("client", [*chat.client_program(), *arguments])


@requirement("1.1", stages=on_terminal)
def test_client_without_arguments_prints_usage(bare: Chat) -> None:
    """A client started without host and port prints its usage and exits non-zero."""
    refuses(bare, start_client(bare), "without arguments")


@requirement("1.1", stages=on_terminal)
def test_client_refuses_an_invalid_port(bare: Chat) -> None:
    """A port that is no number ends the client with a message and a non-zero status."""
    refuses(bare, start_client(bare, bare.host, "notaport"), "with the port `notaport`")


@requirement("1.1", stages=on_terminal)
def test_client_says_when_nobody_listens(bare: Chat) -> None:
    """A refused connection prints one clear line and exits non-zero."""
    port = str(bare.free_port())
    refuses(bare, start_client(bare, bare.host, port), f"with the closed port {port}")


@requirement("1.1", stages=on_terminal)
def test_client_says_when_the_host_is_unknown(bare: Chat) -> None:
    """An unknown host prints one clear line and exits non-zero."""
    port = str(bare.free_port())
    refuses(bare, start_client(bare, "no-such-host.invalid", port), "with an unknown host")


@requirement("1.1", stages=on_terminal)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_client_connects_to_name_and_address(chat: Chat, host: str) -> None:
    """The client takes a host name or an address, and connects."""
    alice = chat.newcomer("alice", host=host)
    chat.require(alice.connected, f"the client connects to {host}")


@requirement("1.2", stages=on_terminal)
def test_server_without_arguments_says_so(bare: Chat) -> None:
    """A server started without a port prints one clear line and exits non-zero."""
    server = bare.launch("server", [part for part in bare.server_command() if "{" not in part])
    refuses(bare, server, "without arguments")


@requirement("1.2", stages=on_terminal)
@pytest.mark.parametrize("port", ["notaport", "70000"])
def test_server_refuses_an_invalid_port(bare: Chat, port: str) -> None:
    """A port that is no number, or none that exists, is refused."""
    command = [part.replace("{port}", port) for part in bare.server_command()]
    refuses(bare, bare.launch("server", command), f"with the port `{port}`")


@requirement("1.2", stages=on_terminal)
def test_server_listens_on_the_port_it_was_given(bare: Chat) -> None:
    """The server takes a port and listens on it."""
    asked = bare.free_port()
    server = bare.start_server(port=asked)
    ports = sorted(server.listening_ports())
    bare.require(asked in ports, f"the server listens on port {asked}", f"It listens on {ports}.")


@requirement("1.2", stages=on_terminal)
def test_server_refuses_an_occupied_port(chat: Chat) -> None:
    """A second server on the same port says so and exits; the first goes on."""
    second = chat.launch("second server", fill(chat.server_command(), chat.host, chat.port))
    refuses(chat, second, f"on the occupied port {chat.port}")
    chat.server_survives("a second server on its port")


@requirement("1.2", stages=on_terminal)
def test_server_restarts_at_once_on_the_same_port(chat: Chat) -> None:
    """A restart on the same port works at once, also when clients were connected."""
    chat.newcomer("alice")
    port, first = chat.port, chat.server
    assert first is not None
    chat.acts("server", "is stopped with Ctrl-C and started again")
    first.type_bytes(b"\x03")
    if not chat.wait_for(lambda: not first.running):
        first.end()
    server = chat.start_server(port=port)
    chat.require(
        port in server.listening_ports(),
        f"the restarted server listens on port {port}",
        f"It {server.end_in_words}.{chat.tail(server)}",
    )
