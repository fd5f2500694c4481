"""Milestone 2's private messages on asyncio, with the same promises, in two styles.

    python -m bench.peers.asyncio_chat streams|protocol asyncio|uvloop

`streams` is what asyncio's documentation teaches: a coroutine for each client, which awaits the
header and then the payload. `protocol` is the faster style below it: a callback with the bytes that
came, cut into frames by the same decoder as our servers use.
A user logs in with a name that is free and well-formed; the sender's name is written from the
server's record; who does not read is dropped; an echo comes back. Everything else is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from typing import cast

from common.framing import NEED_MORE, Decoder, Message, MessageType, ProtocolError, encode

HEADER = struct.Struct("<i128si128s")
MAX_TEXT = 64 * 1024
OUTBOX_LIMIT = 8 * 1024 * 1024


class User:
    """Somebody connected."""

    def __init__(self) -> None:
        self.name = ""
        self.transport: asyncio.WriteTransport

    def send(self, frame: bytes) -> None:
        """Write a frame; drop who does not read."""
        self.transport.write(frame)
        if self.transport.get_write_buffer_size() > OUTBOX_LIMIT:
            self.transport.abort()

    def tell(self, kind: int, text: str, subject: str = "") -> None:
        """Answer as the server."""
        self.send(encode(Message(kind, "Server", subject, text.encode())))


users: dict[str, User] = {}


def handle(user: User, kind: int, infos: str, payload: bytes) -> None:
    """Do what one message asks for."""
    if kind == MessageType.NICKNAME_NEW:
        if infos in users or not (infos.isascii() and infos.isalnum()) or len(infos) > 32:
            user.tell(kind, "choose another name")
            return
        users.pop(user.name, None)
        user.name = infos
        users[infos] = user
        user.tell(kind, f"Welcome on the chat {infos}", infos)
    elif not user.name:
        user.tell(kind, "please login first")
    elif kind == MessageType.UNICAST_SEND:
        other = users.get(infos)
        if other is None:
            user.tell(kind, f"user {infos} does not exist")
        else:
            other.send(encode(Message(kind, user.name, infos, payload)))
    elif kind == MessageType.ECHO_SEND:
        user.send(encode(Message(kind, user.name, "", payload)))


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one client until it leaves (streams)."""
    user = User()
    user.transport = writer.transport
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            length, _, kind, infos = HEADER.unpack(await reader.readexactly(HEADER.size))
            if not 0 <= length <= MAX_TEXT or not 0 <= kind <= 15:
                break
            payload = await reader.readexactly(length) if length else b""
            handle(user, kind, infos.split(b"\0", 1)[0].decode("utf-8", "replace"), payload)
    users.pop(user.name, None)
    writer.close()


class Conversation(asyncio.Protocol):
    """Serves one client until it leaves (protocol)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.user = User()
        self.user.transport = cast(asyncio.WriteTransport, transport)
        self.decoder = Decoder()

    def data_received(self, data: bytes) -> None:
        self.decoder.receive_data(data)
        try:
            while (message := self.decoder.next_message()) is not NEED_MORE:
                kind, _, infos, payload = cast(Message, message)
                handle(self.user, kind, infos, payload)
        except ProtocolError:
            self.user.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        users.pop(self.user.name, None)


async def serve() -> None:
    """Serve until killed."""
    if sys.argv[1] == "streams":
        server = await asyncio.start_server(converse, "127.0.0.1", 0, backlog=1024)
    else:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Conversation, "127.0.0.1", 0, backlog=1024)
    print(f"Listening on port {server.sockets[0].getsockname()[1]}.", flush=True)
    await server.serve_forever()


def run() -> None:
    """Run `serve` on the loop that the command line names."""
    if sys.argv[2] == "uvloop":
        import uvloop

        uvloop.run(serve())
    else:
        asyncio.run(serve())


if __name__ == "__main__":
    run()
