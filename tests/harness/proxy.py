"""A recording relay on loopback between the client under test and its server.

Off by default, for any hop cuts segments anew. It serves where only the bytes on the way can
tell: did this text come back from the server, or did the client print it by itself (2.8, 2.11)?
Did the file pass the server (4.3)? Does the client still understand the server when the bytes
come one by one (2.0)?

It passes FIN and RST on, and holds no buffer: it reads from one side only when the other has
taken everything.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import TYPE_CHECKING

from . import kernel
from .process import Record

if TYPE_CHECKING:
    from .play import Play

CHUNK = 65536


class Side:
    """One end of a relayed connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.waiting = bytearray()  # to be sent out of this socket
        self.finished = False  # its peer has sent FIN
        self.closing = False  # send FIN once `waiting` is empty
        self.received = Record()  # what came in through this socket


class Relay:
    """One client's connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.client = Side(client)
        self.server = Side(server)
        self.over = False

    @property
    def from_server(self) -> bytes:
        """What the server has sent to this client so far."""
        return self.server.received.since(0)

    @property
    def from_client(self) -> bytes:
        """What this client has sent to the server so far."""
        return self.client.received.since(0)

    def inject_to_client(self, data: bytes) -> None:
        """Send bytes to the client as if the server had."""
        self.proxy.note(data, to_server=False)
        self.client.waiting += data
        self._send(self.client)

    def inject_to_server(self, data: bytes) -> None:
        """Send bytes to the server as if this client had."""
        self.proxy.note(data, to_server=True)
        self.server.waiting += data
        self._send(self.server)

    def descriptors(self) -> dict[int, int]:
        """Both sockets, for what they wait for."""
        wanted: dict[int, int] = {}
        if self.over:
            return wanted
        for side, other in ((self.client, self.server), (self.server, self.client)):
            events = 0
            if not side.finished and not other.waiting:
                events |= select.POLLIN
            if side.waiting and not self._dribbles(side):
                events |= select.POLLOUT
            if events:
                wanted[side.socket.fileno()] = events
        return wanted

    def on_ready(self, fd: int) -> bool:
        """Take from this socket, hand to the other."""
        side, other = self.client, self.server
        if fd == self.server.socket.fileno():
            side, other = other, side
        moved = self._send(side)
        if not side.finished and not other.waiting:
            moved = self._receive(side, other) or moved
        return moved

    def tick(self) -> bool:
        """Byte by byte: the next one when the last has been read."""
        moved = False
        for side in (self.client, self.server):
            if not self.over and side.waiting and self._dribbles(side):
                port = side.socket.getsockname()[1], side.socket.getpeername()[1]
                if not _unread(*port):
                    moved = self._send(side, 1) or moved
        return moved

    def _dribbles(self, side: Side) -> bool:
        return self.proxy.dribble_to_client if side is self.client else self.proxy.dribble_to_server

    def _receive(self, side: Side, other: Side) -> bool:
        try:
            data = side.socket.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            self._reset()
            return True
        if data:
            side.received.append(data)
            self.proxy.note(data, to_server=side is self.client)
            other.waiting += data
            if not self._dribbles(other):
                self._send(other)
        else:
            side.finished = other.closing = True
            self._send(other)
        return True

    def _send(self, side: Side, limit: int = CHUNK) -> bool:
        if self._dribbles(side):
            limit = 1
        moved = False
        if side.waiting and not self.over:
            try:
                count = side.socket.send(bytes(side.waiting[:limit]))
            except BlockingIOError:
                return False
            except OSError:
                self._reset()
                return True
            del side.waiting[:count]
            moved = count > 0
        if side.closing and not side.waiting and not self.over:
            with contextlib.suppress(OSError):
                side.socket.shutdown(socket.SHUT_WR)
            side.closing = False
            if self.client.finished and self.server.finished:
                self.close()
        return moved

    def _reset(self) -> None:
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close both sockets."""
        if not self.over:
            self.over = True
            self.client.socket.close()
            self.server.socket.close()


class Proxy:
    """Listens on a port of its own and relays every connection to the server."""

    def __init__(self, play: Play, name: str = "the client") -> None:
        self._play = play
        self._name = name  # whose client it is
        self.relays: list[Relay] = []
        self.dribble_to_client = False
        """Hand the client the server's bytes one by one."""
        self.dribble_to_server = False
        """Hand the server the client's bytes one by one."""
        self._listener = socket.create_server((play.host, 0), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        play.add(self)

    def descriptors(self) -> dict[int, int]:
        """The listener and all relayed sockets."""
        wanted = {self._listener.fileno(): select.POLLIN}
        for relay in self.relays:
            wanted |= relay.descriptors()
        return wanted

    def on_ready(self, fd: int) -> bool:
        """A new client, or bytes to hand on."""
        if fd == self._listener.fileno():
            return self._accept()
        for relay in self.relays:
            if not relay.over and fd in (
                relay.client.socket.fileno(),
                relay.server.socket.fileno(),
            ):
                return relay.on_ready(fd)
        return False

    @property
    def waiting(self) -> int:
        """Bytes taken from one side and not yet handed to the other."""
        return sum(len(r.client.waiting) + len(r.server.waiting) for r in self.relays if not r.over)

    @property
    def dribbling(self) -> bool:
        """True while bytes wait to be handed over one by one."""
        return (self.dribble_to_client or self.dribble_to_server) and self.waiting > 0

    def tick(self) -> bool:
        """Go on with what is handed over byte by byte; True when a byte moved."""
        moved = [relay.tick() for relay in self.relays]  # each of them, not only the first
        return any(moved)

    def _accept(self) -> bool:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return False
        try:
            server = socket.create_connection((self._play.host, self._play.port), 10)
        except OSError:
            client.close()
            return True
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.relays.append(Relay(self, client, server))
        return True

    def note(self, data: bytes, *, to_server: bool) -> None:
        """Write down what passes."""
        self._play.moved_bytes("sends" if to_server else "gets", self._name, data)

    def bytes_through(self) -> int:
        """Bytes that have passed in either direction, all connections together."""
        return sum(r.client.received.total + r.server.received.total for r in self.relays)

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        for relay in self.relays:
            relay.close()


def _unread(sender_port: int, receiver_port: int) -> bool:
    """True while the program has not read what we sent it from `sender_port`."""
    return any(
        row.local_port == receiver_port and row.remote_port == sender_port and row.receive_queue
        for row in kernel.connections()
    )
