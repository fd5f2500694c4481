"""The outbox: what is on its way to one client, and why nobody waits for a slow reader.

`sendall` waits until the other side has read. If the thread of alice called it on bob's socket,
alice would wait for bob, and if she held a lock meanwhile, so would everybody. Therefore a thread
that has something for bob only *puts* it here, which takes no time, and bob's own writing thread
takes it out and waits for bob alone.

A queue between threads must be bounded: whoever does not read at all would else fill our memory.
When the outbox is full, `put` says so, and the session is dropped.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

MAX_BYTES: Final = 4 * 1024 * 1024
"""What may wait for one client. An honest reader in a busy room stays far below."""


class Outbox:
    """A bounded queue of encoded objects: many threads put, one takes.

    The condition's lock guards the three fields below it; it is held for a few instructions, and
    nobody takes another lock while holding it.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._free = max_bytes
        self._closed = False

    def put(self, data: bytes) -> bool:
        """Add one object, never waiting. Say False when it does not fit. Ignored once closed."""
        with self._changed:
            if self._closed:
                return True
            if len(data) > self._free:
                return False
            self._free -= len(data)
            self._waiting.append(data)
            self._changed.notify()
            return True

    def take(self) -> bytes | None:
        """Wait for the next object and return it; None when closed and empty."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return None
            data = self._waiting.popleft()
            self._free += len(data)
            return data

    def close(self) -> None:
        """Take nothing more; what is in it can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def discard(self) -> None:
        """Close, and throw away what nobody will ever read."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()
