"""2.0: every message is one frame, whatever way TCP cuts or joins the bytes.

Scored by share: each case counts for itself. The wire cases speak the official header to the
server; the terminal cases look at, or cut, the bytes between the submission's own two programs.
"""

from __future__ import annotations

import pytest

from common.framing import (
    HEADER_SIZE,
    Decoder,
    Message,
    MessageType,
    NeedMore,
    ProtocolError,
    encode,
)
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import Missing, NotReady
from tests.harness.marks import on_terminal, on_wire, requirement
from tests.harness.wire import FrameUser, FrameWire, raw_header


def private(text: str, sender: str = "alice", receiver: str = "bob") -> bytes:
    """A UNICAST_SEND frame."""
    return encode(Message(MessageType.UNICAST_SEND, sender, receiver, text.encode()))


def frame_users(chat: Chat, *names: str) -> list[FrameUser]:
    """Users who speak frames."""
    users = chat.users(*names)
    assert all(isinstance(user, FrameUser) for user in users)
    return users  # type: ignore[return-value]


def arrive(chat: Chat, receiver: Actor, *texts: str) -> None:
    """The receiver is shown these texts. Raises Missing, or NotReady when `/msg` does not work at
    all."""
    if not chat.wait_for(lambda: all(text in receiver.text() for text in texts)):
        plain = chat.token()
        chat.user("dave").types(f"/msg {receiver.name} {plain}")
        if not chat.wait_for(lambda: plain in receiver.text()):
            expected = f"{receiver.name} is shown what dave sends with `/msg`"
            raise NotReady(("2.9",), expected, chat.what_ended())
    for text in texts:
        receiver.sees(text)


def is_made_of_frames(wire: FrameWire, whose: str) -> None:
    """All that came so far is whole frames of sensible types."""
    if wire.garbled or wire.incomplete() or not wire.frames:
        why = wire.garbled or f"{wire.incomplete()} bytes came that are no whole frame"
        raise Missing(f"{whose} come as frames: {HEADER_SIZE} bytes, then pld_len more", f"{why}.")
    odd = [frame.type for _, frame in wire.frames if not 0 <= frame.type < 64]
    if odd:
        raise Missing(f"{whose} have a type of the course's list", f"Type {odd[0]} came.")


@requirement("2.0", stages=on_wire)
def test_answers_are_frames(chat: Chat) -> None:
    """The server's answers are frames: the fixed header, then pld_len bytes, no more, no less."""
    (alice,) = frame_users(chat, "alice")
    for line in ("/who", "/whois alice", "/whois ghost", "/msg ghost hello", "/who"):
        alice.types(line)
        chat.settle()
    is_made_of_frames(alice.wire, "the server's answers")


@requirement("2.0", stages=on_wire)
def test_messages_arrive_as_frames(chat: Chat) -> None:
    """A message arrives as one frame that holds its text and its sender."""
    alice, bob = frame_users(chat, "alice", "bob")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    arrive(chat, bob, text)
    chat.settle()
    is_made_of_frames(bob.wire, "messages")
    frame = next((f for _, f in bob.wire.frames if text in f.text), None)
    if frame is None:
        raise Missing("the text is the frame's payload", "It came outside of any payload.")
    if "alice" not in frame.nick_sender + frame.text:
        raise Missing("the frame names its sender", f"nick_sender is {frame.nick_sender!r}.")


PLACES = {
    "in-pld_len": 2,
    "before-nick_sender": 4,
    "in-nick_sender": 60,
    "before-type": 132,
    "in-type": 134,
    "in-infos": 140,
    "before-payload": HEADER_SIZE,
    "in-payload": HEADER_SIZE + 5,
}


@requirement("2.0", stages=on_wire)
@pytest.mark.parametrize("place", PLACES)
def test_a_frame_cut_in_two(chat: Chat, place: str) -> None:
    """A frame that arrives in two pieces is one message, wherever it was cut."""
    alice, bob = frame_users(chat, "alice", "bob")
    text = chat.token()
    frame, cut = private(text), PLACES[place]
    chat.acts("alice", f"sends a frame in two pieces, cut at byte {cut}")
    alice.wire.send_in_pieces(frame[:cut], frame[cut:])
    arrive(chat, bob, text)


@requirement("2.0", stages=on_wire)
def test_a_frame_byte_by_byte(chat: Chat) -> None:
    """A frame that arrives in single bytes is one message."""
    alice, bob = frame_users(chat, "alice", "bob")
    text = chat.token()
    chat.acts("alice", "sends a frame byte by byte")
    alice.wire.send_byte_by_byte(private(text))
    arrive(chat, bob, text)


@requirement("2.0", stages=on_wire)
@pytest.mark.parametrize("count", [2, 5])
def test_frames_joined(chat: Chat, count: int) -> None:
    """Several frames in one segment are several messages."""
    alice, bob = frame_users(chat, "alice", "bob")
    texts = [chat.token() for _ in range(count)]
    chat.acts("alice", f"sends {count} frames in one segment")
    alice.wire.send(b"".join(private(text) for text in texts))
    arrive(chat, bob, *texts)


@requirement("2.0", stages=on_wire)
def test_one_frame_and_a_half(chat: Chat) -> None:
    """A frame and half of the next in one segment, then the rest, are two messages."""
    alice, bob = frame_users(chat, "alice", "bob")
    first, second = chat.token(), chat.token()
    frames = private(first) + private(second)
    cut = len(frames) - 100
    chat.acts("alice", "sends a frame and half of the next, then the rest")
    alice.wire.send_in_pieces(frames[:cut], frames[cut:])
    arrive(chat, bob, first, second)


@requirement("2.0", stages=on_wire)
def test_garbage_behind_the_nul_is_ignored(chat: Chat) -> None:
    """Strings end at their first NUL; what stands behind it is ignored."""
    alice, bob = frame_users(chat, "alice", "bob")
    text = chat.token()
    chat.acts("alice", "sends a frame with garbage behind the NUL of its fields")
    alice.wire.send(
        raw_header(len(text), b"alice", MessageType.UNICAST_SEND, b"bob", b"?") + text.encode()
    )
    arrive(chat, bob, text)


TEXTS = {"900-bytes": "{}" + "x" * 888, "utf-8": "{} éàü 漢字 🙂", "percent": "{} %s%n%d \\n"}


@requirement("2.0", stages=on_wire)
@pytest.mark.parametrize("kind", TEXTS)
def test_texts_arrive_unchanged(chat: Chat, kind: str) -> None:
    """Texts of up to 900 bytes arrive unchanged."""
    alice, bob = frame_users(chat, "alice", "bob")
    text = TEXTS[kind].format(chat.token())
    alice.types(f"/msg bob {text}")
    arrive(chat, bob, text)


FLOOD = 6 * 1024 * 1024
"""Bytes sent to somebody who reads late: more than the kernel keeps for them."""


@requirement("2.0", stages=on_wire)
def test_a_slow_reader_gets_whole_frames(chat: Chat) -> None:
    """One send() may take a part of a frame only: who reads late still gets whole frames."""
    (alice,) = frame_users(chat, "alice")
    bob = FrameUser(chat, "bob", small=True)
    bob.logs_in()
    bob.wire.stop_reading()
    text = chat.token()
    batch = private(text + "x" * 800) * 60
    chat.acts("alice", f"writes up to {FLOOD >> 20} MiB to bob, who reads nothing for now")
    while alice.wire.sent < FLOOD and not alice.wire.ended:
        before = alice.wire.sent
        alice.wire.send(batch)
        chat.pump(0.01)
        if alice.wire.sent == before:
            chat.settle()
            if alice.wire.sent == before:
                break  # the server takes no more before bob reads: a good answer
    chat.acts("bob", "reads again")
    bob.wire.read_again()
    chat.settle()
    if text not in bob.text():
        raise NotReady(("2.9",), "bob is shown one of alice's messages", chat.what_ended())
    if not bob.wire.ended:  # to be dropped for being slow is free
        is_made_of_frames(bob.wire, "the frames to a slow reader")
    chat.require(not bob.wire.garbled, "what a slow reader gets are frames", bob.wire.garbled)


# -- the submission's own two programs ---------------------------------------------------------


@requirement("2.0", stages=on_terminal)
def test_the_client_sends_frames(chat: Chat) -> None:
    """What the client sends is the official header and pld_len bytes: the arguments in `infos`,
    the text as the payload."""
    chat.user("bob")
    alice, proxy = chat.user_behind_proxy("alice")
    text = chat.token()
    alice.types(f"/msg bob {text}")
    chat.settle()
    sent = b"".join(relay.from_client for relay in proxy.relays)
    decoder = Decoder(1 << 20)
    decoder.receive_data(sent)
    frames = []
    try:
        while not isinstance(frame := decoder.next_message(), NeedMore):
            frames.append(frame)
    except ProtocolError as error:
        raise Missing("the client sends frames of the course's form", f"{error}.") from None
    if decoder.pending:
        raise Missing(
            "the client sends exactly pld_len bytes behind each header",
            f"{decoder.pending} bytes are left over behind {len(frames)} frames.",
        )
    asked = [f.infos.strip() for f in frames if f.type == MessageType.NICKNAME_NEW]
    chat.require("alice" in asked, "NICKNAME_NEW carries the name in infos", f"It had {asked}.")
    said = [f for f in frames if f.type == MessageType.UNICAST_SEND]
    chat.require(
        any(f.infos.strip() == "bob" and text in f.text for f in said),
        "UNICAST_SEND carries the receiver in infos and the text as payload",
        f"It sent {[(f.infos, f.text) for f in said]}.",
    )


@requirement("2.0", stages=on_terminal)
@pytest.mark.parametrize("whom", ["client", "server"])
def test_the_own_programs_byte_by_byte(chat: Chat, whom: str) -> None:
    """Client and server understand each other when the bytes come one by one."""
    bob = chat.user("bob")
    alice, proxy = chat.user_behind_proxy("alice")
    proxy.dribble_to_client = whom == "client"
    proxy.dribble_to_server = whom == "server"
    chat.acts("the network", f"hands the {whom} its bytes one by one")
    for sender, receiver in ((alice, bob), (bob, alice)):
        text = chat.token()
        sender.types(f"/msg {receiver.name} {text}")
        arrive(chat, receiver, text)


@requirement("2.0", stages=on_terminal)
def test_the_client_takes_joined_frames(chat: Chat) -> None:
    """Several messages that reach the client in one segment are all shown."""
    bob = chat.user("bob")
    alice, proxy = chat.user_behind_proxy("alice")
    relay = proxy.relays[-1]
    before = len(relay.from_server)
    text = chat.token()
    bob.types(f"/msg alice {text}")
    arrive(chat, alice, text)
    chat.settle()
    message = relay.from_server[before:]
    other, third = chat.token(), chat.token()
    chat.acts("the network", "hands the client two such messages in one segment")
    relay.inject_to_client(
        message.replace(text.encode(), other.encode())
        + message.replace(text.encode(), third.encode())
    )
    alice.sees(other)
    alice.sees(third)
