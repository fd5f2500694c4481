"""One peer of a server that never waits: its socket, its decoder, and an outbox.

A message to send goes into the outbox, not to the socket: the kernel may have no room for it, and
one `send` for everything that gathered in a turn costs less than one per message.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from common import addresses, poller
from common.framing import Decoder

_JOIN_BELOW: Final = 64 * 1024
"""Pieces of the outbox smaller than this are joined for one `send`; larger ones go alone."""


class Connection:
    """A connected, non-blocking socket and what is on its way in and out."""

    def __init__(
        self,
        sock: socket.socket,
        decoder: Decoder,
        *,
        limit: int,
        has_output: Callable[[Connection], object],
    ) -> None:
        """Take over `sock`.

        `has_output` is called when there is something to send that was not reported before: when
        the empty outbox gets its first piece, and when more than `limit` bytes wait in it.
        """
        sock.setblocking(False)
        # A message is due at once: do not hold it back in the hope of more bytes (Nagle).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = sock.getpeername()
        self.sock = sock
        self.fd = sock.fileno()
        self.ip = addresses.plain_ip(peer[0])
        self.port: int = peer[1]
        self.decoder = decoder
        self.waiting = 0  # bytes in the outbox
        self.events = poller.READ  # what the poller reports about it
        self.parting = False  # left, lost or dismissed: what it still sends is of no interest
        self.at_end = False  # it will send no more
        self.broken = False  # it cannot even be sent to
        self._outbox: list[bytes | memoryview] = []
        self._limit = limit
        self._has_output = has_output

    @property
    def address(self) -> str:
        """Return the peer's address as `addr:port`."""
        return addresses.format_address(self.ip, self.port)

    def queue(self, data: bytes) -> None:
        """Put `data` into the outbox. The same bytes may wait in many outboxes: none is copied."""
        if not self._outbox or self.waiting > self._limit:
            self._has_output(self)
        self._outbox.append(data)
        self.waiting += len(data)

    def flush(self) -> None:
        """Offer the outbox to the kernel with one `send`. Raises OSError if the peer is gone."""
        outbox = self._outbox
        if not outbox:
            return
        if len(outbox) > 1 and len(outbox[0]) < _JOIN_BELOW:
            outbox[:] = [b"".join(outbox)]
        first = outbox[0]
        try:
            sent = self.sock.send(first)
        except BlockingIOError:
            return
        self.waiting -= sent
        if sent == len(first):
            del outbox[0]
        else:  # a view: the rest is not copied again for every piece that the kernel takes
            outbox[0] = memoryview(first)[sent:]
