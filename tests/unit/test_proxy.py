"""The harness's relay between a client and its server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.harness.chat import Chat
from tests.harness.play import Session
from tests.harness.settings import Settings
from tests.harness.terminal import TerminalUser


def test_a_client_that_has_just_connected_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the fence takes a client that starts for a busy loop and lets it through;
    then it may connect between the fence and the look at the relays."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        attach = f"127.0.0.1:{server.getsockname()[1]}"
        settings = Settings(milestone=1, attach=attach)
        clients = []

        def connects(name: str, *, port: int) -> TerminalUser:
            clients.append(socket.create_connection(("127.0.0.1", port)))
            return object.__new__(TerminalUser)  # nobody types: only its connection is of interest

        with Chat(settings, Session(), "terminal", tmp_path / "play", "0") as chat:
            chat.attach_server()
            monkeypatch.setattr(chat, "user", connects)
            _, proxy = chat.user_behind_proxy("alice")
            assert len(proxy.relays) == 1
        for client in clients:
            client.close()
