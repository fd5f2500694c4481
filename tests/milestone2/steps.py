"""Steps that several checks of milestone 2 take."""

from __future__ import annotations

from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import NotReady


def goes(chat: Chat, user: Actor, how: str = "leaves") -> None:
    """The user leaves with `/quit`, or vanishes, and the server goes on. Raises NotReady when
    `/quit` does not end the connection: that is promised elsewhere."""
    if how == "vanishes":
        user.vanishes()
        chat.server_survives(f"the loss of {user.name}", "2.3")
    elif not user.leaves() and user.connected:
        raise NotReady(
            ("2.13",), f"{user.name} leaves with `/quit`", "The connection still stands."
        )
