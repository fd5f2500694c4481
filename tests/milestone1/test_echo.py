"""1.3 to 1.7: several clients at once, echo, the two ears of the client, leaving."""

from __future__ import annotations

import pytest

from tests.harness import kernel
from tests.harness.chat import Chat
from tests.harness.failures import Forbidden, Missing, NotReady
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.terminal import TerminalUser


@requirement("1.3", stages=on_wire)
def test_processes_do_not_grow_with_clients(chat: Chat) -> None:
    """The server's processes and threads do not grow with the number of clients."""
    server = chat.own_server()
    chat.stranger("the first client")
    chat.settle()
    before = kernel.threads(kernel.family({server.pid}))
    for number in range(2, 6):
        chat.stranger(f"client {number}")
    chat.settle()
    after = kernel.threads(kernel.family({server.pid}))
    chat.forbid(
        after > before + 1,
        "5 clients need no more processes and threads than 1",
        f"With one client there were {before}, with five there are {after}.",
    )


@requirement("1.3")
def test_several_clients_are_served_at_the_same_time(chat: Chat) -> None:
    """Several clients are connected, and each gets its echo, in any order."""
    clients = chat.users("alice", "bob", "carol")
    for client in reversed(clients):
        text = chat.token()
        client.types(text)
        client.sees(text)


@requirement("1.3", stages=on_terminal)
@pytest.mark.parametrize(
    "sends", [b"", b"h", b"half a li"], ids=["idle", "one-byte", "half-a-line"]
)
def test_an_idle_client_delays_nobody(chat: Chat, sends: bytes) -> None:
    """A client that says nothing, or only half of something, delays nobody."""
    stranger = chat.stranger("an idle client")
    stranger.send(sends)
    chat.acts("an idle client", f"sends {sends!r} and then nothing")
    alice = chat.user("alice")
    text = chat.token()
    alice.types(text)
    alice.sees(text)


LINES = {
    "plain": "hello {}",
    "long": "{}" + "x" * 880,
    "backslashes": r"{}\n\t\\ %d%% %s \0",
    "utf-8": "{} éàü ñ 漢字 🙂",
    "blanks": "  {}   two  blanks",
}


@requirement("1.4")
@pytest.mark.parametrize("kind", LINES)
def test_a_line_comes_back(chat: Chat, kind: str) -> None:
    """A line typed in the client goes to the server and its echo is shown."""
    alice = chat.user("alice")
    text = LINES[kind].format(chat.token())
    alice.types(text)
    alice.sees(text.strip())


@requirement("1.4")
def test_text_after_an_empty_line_still_comes_back(chat: Chat) -> None:
    """After an empty line, later text is still echoed."""
    alice = chat.user("alice")
    alice.types("")
    text = chat.token()
    alice.types(text)
    alice.sees(text)


@requirement("1.4")
def test_many_lines_come_back_in_order(chat: Chat) -> None:
    """Twenty lines come back, each of them, in their order."""
    alice = chat.user("alice")
    lines = [chat.token() for _ in range(20)]
    for line in lines:
        alice.types(line)
        alice.sees(line)
    places = [alice.text().find(line) for line in lines]
    chat.require(places == sorted(places), "the echoes come in the order of the lines")


@requirement("1.4", stages=on_terminal)
def test_the_echo_comes_from_the_server(chat: Chat) -> None:
    """What is shown has travelled to the server and back; the client has not made it up."""
    alice, proxy = chat.user_behind_proxy("alice")
    text = chat.token()
    alice.types(text)
    alice.sees(text)
    came = b"".join(relay.from_server for relay in proxy.relays)
    if text.encode() not in came:
        raise Missing(
            f"the server sends `{text}` back", f"The server sent {len(came)} bytes without it."
        )


@requirement("1.5", stages=on_terminal)
def test_text_from_the_server_is_shown_while_nothing_is_typed(chat: Chat) -> None:
    """The client listens to keyboard and socket at the same time."""
    alice, proxy = chat.user_behind_proxy("alice")
    text = chat.token()
    before = len(proxy.relays[0].from_server)
    alice.types(text)
    alice.sees(text)
    chat.settle()
    # Whatever form this server gives its echo: send the client the very same bytes once more.
    echo = proxy.relays[0].from_server[before:]
    if text.encode() not in echo:
        raise NotReady(("1.4",), "the server echoes a line", "The server sent nothing of it.")
    chat.acts("server", "sends that echo again, while nothing is typed")
    proxy.relays[0].inject_to_client(echo)
    chat.expect("alice is shown it a second time, without a key pressed")
    if not chat.wait_for(lambda: text in alice.since()):
        raise Missing(
            "text from the server is shown while nothing is typed",
            "Nothing was shown. Does the client wait in a read of the keyboard?",
            hint="poll() takes several descriptors: wait for the keyboard and the socket in one.",
        )


@requirement("1.6")
def test_the_echo_goes_to_its_sender_alone(chat: Chat) -> None:
    """The echo goes to the client that sent the text and to nobody else."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    text = chat.token()
    bob.types(text)
    bob.sees(text)
    alice.sees_nothing_of(text)
    carol.sees_nothing_of(text)


@requirement("1.6", stages=on_terminal)
def test_a_short_line_brings_nothing_of_anothers_long_one(chat: Chat) -> None:
    """What is shown to one client holds no rest of what another one sent before: a buffer that is
    used again, and sent further than what was received."""
    alice, bob = chat.users("alice", "bob")
    text = chat.token() + chat.token()
    bob.types(text)
    bob.sees(text)
    alice.types("hi")
    alice.sees_nothing_of(text[-8:], "alice is shown nothing of the end of bob's line")


@requirement("1.7", stages=on_terminal)
def test_quit_inside_a_line_ends_nothing(chat: Chat) -> None:
    """`/quit` ends the connection where it is the whole line, not where it stands in one."""
    alice = chat.user("alice")
    alice.types("what does /quit do?")
    text = chat.token()
    alice.types(text)
    if not chat.wait_for(lambda: text in alice.text()):
        raise Missing("`/quit` inside a line ends nothing", chat.what_ended())


@requirement("1.7", stages=on_terminal)
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_the_server_goes_on_without_clients(chat: Chat, how: str) -> None:
    """When its only client has gone, by `/quit` or abruptly, the server goes on for the next."""
    alice = chat.user("alice")
    alice.leaves() if how == "leaves" else alice.vanishes()
    chat.server_survives("the loss of its only client", "1.7")
    bob = chat.user("bob")
    text = chat.token()
    bob.types(text)
    bob.sees(text)


@requirement("1.7", stages=on_terminal)
def test_quit_ends_the_client(chat: Chat) -> None:
    """`/quit` ends the connection, and the client exits with status 0."""
    alice = chat.user("alice")
    assert isinstance(alice, TerminalUser)
    chat.require(alice.leaves(), "the client ends after `/quit`", "It goes on.")
    chat.require(
        alice.program.exit_status == 0,
        "the client exits with status 0",
        f"It {alice.program.end_in_words}.",
    )


def server_forgets(chat: Chat, port: int) -> None:
    """The server has closed its socket to the client that had this port."""
    server = chat.own_server()
    chat.expect("the server closes its socket to that client")
    if not chat.wait_for(lambda: all(row.remote_port != port for row in server.tcp_connections())):
        raise Forbidden(
            "the server closes the socket of a client that has gone",
            "It still holds it open." if server.running else f"It {server.end_in_words}.",
        )


@requirement("1.7")
@pytest.mark.parametrize("how", ["leaves", "vanishes"])
def test_the_server_lets_go_of_a_client(chat: Chat, how: str) -> None:
    """After `/quit`, and after an abrupt disconnect, the server closes that socket and goes on."""
    alice = chat.user("alice")
    bob = chat.user("bob")
    port = bob.endpoint()[1]
    bob.leaves() if how == "leaves" else bob.vanishes()
    chat.server_survives("the loss of a client")
    server_forgets(chat, port)
    text = chat.token()
    alice.types(text)
    alice.sees(text)


@requirement("1.7", stages=on_wire)
def test_quit_as_a_line_closes_the_connection(chat: Chat) -> None:
    """The server closes the connection on which the line `/quit` came."""
    alice = chat.user("alice")
    alice.types("/quit")
    chat.require(
        chat.wait_for(lambda: not alice.connected), "the server closes the connection", "It stays."
    )


@requirement("1.7", stages=on_terminal)
def test_ctrl_c_ends_the_server(chat: Chat) -> None:
    """Ctrl-C ends the server, and its port and connections are closed."""
    chat.user("alice")
    server = chat.own_server()
    chat.acts("server", "gets Ctrl-C on its terminal")
    server.type_bytes(b"\x03")
    chat.require(
        chat.wait_for(lambda: not server.running), "the server ends on Ctrl-C", "It goes on."
    )
    chat.require(
        chat.wait_for(
            lambda: (
                not any(r.is_listener and r.local_port == chat.port for r in kernel.connections())
            )
        ),
        f"nobody listens on port {chat.port} any more",
    )
