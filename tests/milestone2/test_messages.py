"""2.7 to 2.11: who gets which message, under whose name."""

from __future__ import annotations

import pytest

from common.framing import Message, MessageType
from tests.harness import screen
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import Missing, NotReady, Waived
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.wire import FrameUser
from tests.milestone2.steps import goes


@requirement("2.7")
def test_msgall_reaches_everybody_else(chat: Chat) -> None:
    """`/msgall <text>` reaches every other user, under the sender's name."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    text = chat.token()
    alice.types(f"/msgall {text}")
    bob.sees_from("alice", text)
    carol.sees_from("alice", text)


@requirement("2.7")
def test_msgall_keeps_its_words(chat: Chat) -> None:
    """The whole text arrives, blanks and all."""
    alice, bob = chat.users("alice", "bob")
    text = f"{chat.token()} and {chat.token()}, too"
    bob.types(f"/msgall {text}")
    alice.sees_from("bob", text)


@requirement("2.7")
def test_msgall_reaches_who_is_left(chat: Chat) -> None:
    """`/msgall` reaches every other user when somebody who came between them has left."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    goes(chat, bob)
    alice.types(f"/msg carol {chat.token()}")
    if not chat.wait_for(carol.hears_something):
        raise Waived("carol is forgotten with bob: that is 2.3")
    text = chat.token()
    alice.types(f"/msgall {text}")
    carol.sees_from("alice", text)


def somebody_heard(chat: Chat, bob: Actor, texts: list[str]) -> None:
    """One kind of message at least has arrived: silence alone does not keep this promise."""
    if not chat.wait_for(lambda: any(text in bob.text() for text in texts)):
        raise NotReady(("2.7", "2.9"), "bob is shown one of alice's messages", chat.what_ended())


@requirement("2.8", stages=on_wire)
def test_no_message_comes_back(chat: Chat) -> None:
    """No message that a user sends comes back to that user."""
    alice, bob = chat.users("alice", "bob")
    texts = [chat.token(), chat.token()]
    for line, text in zip(("/msgall {}", "/msg bob {}"), texts, strict=True):
        alice.types(line.format(text))
        # What does not reach bob may be no message in this server's dialect, but an echo.
        if chat.wait_for(lambda text=text: text in bob.text(), seconds=1):  # type: ignore[misc]
            alice.sees_nothing_of(text)
    somebody_heard(chat, bob, texts)


@requirement("2.8", stages=on_terminal)
def test_no_message_comes_back_to_its_client(chat: Chat) -> None:
    """No message that a user sends comes back to that user: looked for in what the server sends,
    since a client may print by itself what its user typed."""
    alice, proxy = chat.user_behind_proxy("alice")
    bob = chat.user("bob")
    texts = [chat.token(), chat.token()]
    for line, text in zip(("/msgall {}", "/msg bob {}"), texts, strict=True):
        alice.types(line.format(text))
        chat.settle()
        sent = any(text.encode() in relay.from_server for relay in proxy.relays)
        # What reached nobody may come back in a refusal. Bytes that nobody is shown may be left
        # over in a buffer that is used again.
        chat.forbid(
            sent and text in alice.text() and text in bob.text(),
            f"the server does not send `{text}` back to alice",
            "It did: the text is in what the server sent to alice's client.",
        )
    somebody_heard(chat, bob, texts)


@requirement("2.9")
def test_private_message_reaches_only_its_target(chat: Chat) -> None:
    """`/msg <user> <text>` reaches that user and nobody else, under the sender's name."""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    text = f"{chat.token()} {chat.token()}"
    alice.types(f"/msg bob {text}")
    bob.sees_from("alice", text)
    carol.sees_nothing_of(text.split()[0])


@requirement("2.9", stages=on_terminal)
def test_a_long_private_message_arrives_whole(chat: Chat) -> None:
    """A private message of nearly 900 bytes goes from keyboard to screen."""
    alice, bob = chat.users("alice", "bob")
    text = chat.token() + "x" * 850 + chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees(text)


@requirement("2.9", stages=on_terminal)
def test_a_short_message_brings_nothing_of_a_long_one(chat: Chat) -> None:
    """What one user is shown holds nothing of what another one was sent before. (On the wire it
    may stand behind a NUL, where nobody reads it.)"""
    alice, bob, carol = chat.users("alice", "bob", "carol")
    text = chat.token() + chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees(text)
    bob.types("/msg carol hi")
    carol.sees_nothing_of(text[-8:], "carol is shown nothing of what was for bob alone")


@requirement("2.9", stages=on_wire)
def test_a_forged_sender_name_is_not_believed(chat: Chat) -> None:
    """A message comes under the sender's registered name, never under one that the frame merely
    claims."""
    alice, bob, _ = chat.users("alice", "bob", "carol")
    assert isinstance(alice, FrameUser)
    for claimed in ("alice", "carol", "ghost"):
        for kind, target in ((MessageType.UNICAST_SEND, "bob"), (MessageType.BROADCAST_SEND, "")):
            text = chat.token()
            frame = Message(kind, claimed, target, text.encode())
            alice.sends(frame, f"claims to be {claimed} in a frame")
            if claimed == "alice":
                bob.sees(text)  # so these frames are understood; to drop the forged ones is free
            else:
                bob.lists_not(claimed)


@requirement("2.9", stages=on_terminal)
@pytest.mark.parametrize("claimed", ["carol", "ghost"])
def test_a_forged_sender_name_is_not_believed_in_any_dialect(chat: Chat, claimed: str) -> None:
    """A message comes under the sender's registered name: the client's own bytes, sent once more
    with another name in them, are not believed."""
    bob = chat.user("bob")
    chat.user("carol")
    alice, proxy = chat.user_behind_proxy("alice")
    relay = proxy.relays[-1]
    before = len(relay.from_client)
    text, forged = chat.token(), chat.token()
    alice.types(f"/msg bob {text}")
    bob.sees(text)
    chat.settle()
    frame = relay.from_client[before:]
    if b"alice" not in frame:
        raise Waived("the client's frames do not claim a name, so there is none to be forged")
    chat.acts("alice", f"sends that message once more, claiming to be {claimed}")
    relay.inject_to_server(
        frame.replace(b"alice", claimed.encode()).replace(text.encode(), forged.encode())
    )
    chat.settle()
    chat.forbid(
        forged in bob.since() and screen.has_word(bob.since(), claimed),
        f"bob is not shown that the message comes from {claimed}",
        f"What came: `{' '.join(bob.since().split())}`.",
    )


@requirement("2.10")
def test_a_message_to_nobody_is_reported(chat: Chat) -> None:
    """`/msg` to an unknown user tells the sender so; nobody else hears of it."""
    alice, bob = chat.users("alice", "bob")
    text = chat.token()
    alice.types(f"/msg ghost {text}")
    alice.is_told("alice is told that there is no user ghost")
    bob.sees_nothing_of(text)
    bob.lists_not("ghost")


@requirement("2.10", stages=on_terminal)
def test_a_message_to_nobody_does_not_look_delivered(chat: Chat) -> None:
    """What the sender is told differs from what a delivered message brings to the screen."""
    alice, bob = chat.users("alice", "bob")
    texts = chat.token(), chat.token()
    alice.types(f"/msg bob {texts[0]}")
    bob.sees(texts[0])
    delivered = screen.shape(alice.answer(), texts[0], "bob")
    alice.types(f"/msg ghost {texts[1]}")
    chat.require(
        screen.shape(alice.answer(), texts[1], "ghost") != delivered,
        "alice is told that there is no user ghost",
        "Her screen shows the same as for a message that arrived.",
    )


@requirement("2.11", stages=on_wire)
def test_plain_text_is_echoed(chat: Chat) -> None:
    """Text without a command is echoed to its sender, and to nobody else."""
    alice, bob = chat.users("alice", "bob")
    text = f"{chat.token()} {chat.token()}"
    alice.types(text)
    alice.sees(text)
    bob.sees_nothing_of(text.split()[0])


@requirement("2.11", stages=on_terminal)
def test_plain_text_is_echoed_to_its_client(chat: Chat) -> None:
    """Text without a command is echoed to its sender: shown, and sent by the server."""
    alice, proxy = chat.user_behind_proxy("alice")
    bob = chat.user("bob")
    text = f"{chat.token()} {chat.token()}"
    alice.types(text)
    alice.sees(text)
    chat.settle()
    if not any(text.encode() in relay.from_server for relay in proxy.relays):
        raise Missing(
            f"the server sends `{text}` back",
            "Only the client printed it; the server did not send it.",
        )
    bob.sees_nothing_of(text.split()[0])
