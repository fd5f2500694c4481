"""The clients of a server, in a doubly linked list (1.8).

Every client knows its neighbours. So one can leave from the middle at once, without a search and
without moving the others: its two neighbours join hands.

        first                                  last
          |                                      |
          v                                      v
      +-------+   next   +-------+   next   +-------+
      | alice | -------> |  bob  | -------> | carol | ---> None
      +-------+ <------- +-------+ <------- +-------+
               previous           previous
"""

from __future__ import annotations

import socket
from collections.abc import Iterator


class Client:
    """One connected client: its socket, its address and port, and what it is still to be sent."""

    def __init__(self, sock: socket.socket, ip: str, port: int) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.ip = ip
        self.port = port
        self.outbox = b""  # echoed, but not yet taken by the kernel
        self.line = b""  # how the line that is not finished yet begins
        self.quitting = False  # to be closed as soon as the outbox is empty
        self.previous: Client | None = None
        self.next: Client | None = None


class ClientList:
    """A doubly linked list of clients, in the order in which they came (1.8)."""

    def __init__(self) -> None:
        self.first: Client | None = None
        self.last: Client | None = None
        self._length = 0

    def append(self, client: Client) -> None:
        """Put `client` at the end."""
        client.previous, client.next = self.last, None
        if self.last is None:
            self.first = client
        else:
            self.last.next = client
        self.last = client
        self._length += 1

    def remove(self, client: Client) -> None:
        """Take `client`, which is in this list, out of it. Costs the same wherever it stands."""
        if client.previous is None:
            self.first = client.next
        else:
            client.previous.next = client.next
        if client.next is None:
            self.last = client.previous
        else:
            client.next.previous = client.previous
        client.previous = client.next = None
        self._length -= 1

    def __iter__(self) -> Iterator[Client]:
        """Walk from the first to the last; the client just yielded may be removed meanwhile."""
        client = self.first
        while client is not None:
            following = client.next
            yield client
            client = following

    def __len__(self) -> int:
        """Return the number of clients."""
        return self._length
