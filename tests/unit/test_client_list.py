"""The linked list of milestone 1 (1.8)."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

import pytest

from milestone1_echo.client_list import Client, ClientList


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    sockets = [socket.socket() for _ in range(4)]
    yield [Client(sock, "127.0.0.1", port) for port, sock in enumerate(sockets)]
    for sock in sockets:
        sock.close()


def backwards(clients: ClientList) -> list[Client]:
    found, client = [], clients.last
    while client is not None:
        found.append(client)
        client = client.previous
    return found


def test_empty() -> None:
    clients = ClientList()
    assert len(clients) == 0
    assert list(clients) == []
    assert clients.first is clients.last is None


def test_keeps_descriptor_address_and_port(clients: list[Client]) -> None:
    assert clients[1].fd == clients[1].sock.fileno()
    assert (clients[1].ip, clients[1].port) == ("127.0.0.1", 1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_removal_in_any_order(clients: list[Client], order: tuple[int, ...]) -> None:
    linked = ClientList()
    for client in clients:
        linked.append(client)
    left = list(clients)
    for position in order:
        linked.remove(clients[position])
        left.remove(clients[position])
        assert list(linked) == left
        assert backwards(linked) == left[::-1]
        assert len(linked) == len(left)
        assert clients[position].next is clients[position].previous is None


def test_removed_client_can_come_back(clients: list[Client]) -> None:
    linked = ClientList()
    linked.append(clients[0])
    linked.append(clients[1])
    linked.remove(clients[0])
    linked.append(clients[0])
    assert list(linked) == [clients[1], clients[0]]


def test_the_client_just_seen_may_be_removed(clients: list[Client]) -> None:
    linked = ClientList()
    for client in clients:
        linked.append(client)
    for client in linked:
        linked.remove(client)
    assert len(linked) == 0
