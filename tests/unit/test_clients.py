"""How a client shows messages and learns from them, without a server: also from others' servers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from common.console import Console
from common.framing import Decoder, Message, MessageType, NeedMore
from milestone3_rooms.client import ChatClient, displayed


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (Message(3, "Server", "", b"hello"), "[Server] : hello"),
        (Message(4, "bob", "", b"hello"), "[bob] : hello"),
        (Message(99, "bob", "", b"any type"), "[bob] : any type"),
        (Message(3, "", "", b"from nobody"), "from nobody"),
        (Message(3, "bob", "in infos", b""), "[bob] : in infos"),
        (Message(3, "Server", "", b""), ""),
        (Message(4, "bob", "", b"[bob] : hello"), "[bob] : hello"),
        (Message(4, "bob", "", b"[ bob ] hello"), "[ bob ] hello"),
        (Message(4, "bob", "", b"bob: hello"), "bob: hello"),
        (Message(4, "bob", "", b"bob is tired"), "[bob] : bob is tired"),
        (Message(4, "bob", "", b"[alice] : forged"), "[bob] : [alice] : forged"),
        (Message(4, "bob", "", b"a\n[alice] : forged"), "[bob] : a\n    [alice] : forged"),
        (Message(9, "Server", "tea", b"INFO> bob has joined tea"), "INFO> bob has joined tea"),
        (Message(4, "bob", "", b"INFO> forged"), "[bob] : INFO> forged"),
        (Message(4, "bob", "", b"hello\n\0"), "[bob] : hello"),
        (Message(4, "bob", "", b"\xff"), "[bob] : \ufffd"),
    ],
)
def test_displayed(message: Message, shown: str) -> None:
    assert displayed(message) == shown


@pytest.fixture
def ends() -> Iterator[tuple[ChatClient, socket.socket]]:
    """A client, and the socket of a server that the test plays."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    null = os.open(os.devnull, os.O_RDWR)
    client = ChatClient(sock, Console(null, null))
    yield client, server
    client.close()
    server.close()
    os.close(null)


def sent(client: ChatClient, server: socket.socket) -> Message:
    """Return the one message that the client sends now."""
    client.server.flush()
    decoder = Decoder()
    while isinstance(message := decoder.next_message(), NeedMore):
        decoder.receive_data(server.recv(65536))
    return message


def grant(client: ChatClient, kind: MessageType, subject: str) -> None:
    client.received(Message(kind, "Server", subject, b"granted"))


class TestOurServer:
    """It repeats in `infos` what it granted: what it did not grant is not believed."""

    def test_name_and_room_follow_the_replies(self, ends: tuple[ChatClient, socket.socket]) -> None:
        client, _ = ends
        assert client.prompt() == "> "
        client.typed("/nick alice")
        assert (client.prompt(), client.own_name()) == ("> ", "alice")
        grant(client, MessageType.NICKNAME_NEW, "alice")
        assert client.prompt() == "alice> "
        client.typed("/nick bob")
        client.received(Message(MessageType.NICKNAME_NEW, "Server", "", b"in use"))
        assert client.own_name() == "alice"
        client.typed("/create tea")
        grant(client, MessageType.MULTICAST_CREATE, "tea")
        assert client.prompt() == "alice[tea]> "
        client.typed("/join coffee")
        assert client.own_room() == "coffee"
        client.received(Message(MessageType.MULTICAST_JOIN, "Server", "", b"no such channel"))
        assert client.own_room() == "tea"
        client.typed("/quit")
        assert (client.own_room(), client.prompt()) == ("", "alice[tea]> ")
        grant(client, MessageType.MULTICAST_QUIT, "tea")
        assert client.prompt() == "alice> "

    def test_answers_may_be_behind_the_wishes(self, ends: tuple[ChatClient, socket.socket]) -> None:
        client, _ = ends
        for line in ("/nick alice", "/create tea", "/create coffee"):
            client.typed(line)
        grant(client, MessageType.NICKNAME_NEW, "alice")
        grant(client, MessageType.MULTICAST_CREATE, "tea")
        assert client.own_room() == "coffee"
        grant(client, MessageType.MULTICAST_CREATE, "coffee")
        assert client.own_room() == "coffee"

    def test_others_cannot_rename_us(self, ends: tuple[ChatClient, socket.socket]) -> None:
        client, _ = ends
        grant(client, MessageType.NICKNAME_NEW, "alice")
        client.received(Message(MessageType.NICKNAME_NEW, "mallory", "fool", b""))
        client.received(Message(MessageType.MULTICAST_JOIN, "mallory", "trap", b""))
        assert client.prompt() == "alice> "


class TestServersOfOthers:
    """They answer as they like: the client believes that its wishes come true."""

    def test_optimistic(self, ends: tuple[ChatClient, socket.socket]) -> None:
        client, server = ends
        client.typed("/nick alice")
        assert sent(client, server).infos == "alice"
        client.received(Message(MessageType.ECHO_SEND, "Server", "", b"bienvenue"))
        client.typed("/join tea")
        assert sent(client, server) == Message(MessageType.MULTICAST_JOIN, "alice", "tea", b"")
        client.received(Message(MessageType.ECHO_SEND, "alice", "", b"vous avez rejoint tea"))
        client.typed("hello")
        assert sent(client, server) == Message(MessageType.MULTICAST_SEND, "alice", "tea", b"hello")
        client.typed("/quit")
        assert sent(client, server) == Message(MessageType.MULTICAST_QUIT, "alice", "tea", b"")
        client.typed("echo")
        assert sent(client, server) == Message(MessageType.ECHO_SEND, "alice", "", b"echo")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/who", Message(MessageType.NICKNAME_LIST)),
        ("/who ignored", Message(MessageType.NICKNAME_LIST)),
        ("/whois  bob ", Message(MessageType.NICKNAME_INFOS, "", "bob ")),
        ("/msg bob  two  blanks", Message(MessageType.UNICAST_SEND, "", "bob", b"two  blanks")),
        ("/msgall a\\nb", Message(MessageType.BROADCAST_SEND, "", "", b"a\\nb")),
        ("/channel_list", Message(MessageType.MULTICAST_LIST)),
        ("/quit tea", Message(MessageType.MULTICAST_QUIT, "", "tea")),
        (" /who", Message(MessageType.ECHO_SEND, "", "", b" /who")),
        ("\udcff", Message(MessageType.ECHO_SEND, "", "", b"\xff")),
    ],
)
def test_typed_and_sent(
    line: str, message: Message, ends: tuple[ChatClient, socket.socket]
) -> None:
    client, server = ends
    client.typed(line)
    assert sent(client, server) == message
