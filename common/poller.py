"""The one place that waits until something can be read or written.

`poll()` is handed the whole list of descriptors again at every call and walks all of it, so its
price grows with the idle ones too. Linux's `epoll` keeps the list in the kernel and reports the
ready ones only. Both speak the same bits, so the choice between them is made here and nowhere
else.
"""

from __future__ import annotations

import select
from typing import Final, Protocol

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT
GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL
"""Reported whether asked for or not: the peer is gone, the socket failed, the descriptor closed."""

KINDS: Final = ("poll", "epoll") if hasattr(select, "epoll") else ("poll",)
"""What `make_poller` takes on this system; the first is the default."""


class Poller(Protocol):
    """What to wait for, by file descriptor; `events` is READ, WRITE, both, or 0 for GONE alone."""

    def register(self, fd: int, events: int, /) -> object:
        """Wait for `events` on `fd` from now on."""

    def modify(self, fd: int, events: int, /) -> object:
        """Wait for other events on a registered `fd`."""

    def unregister(self, fd: int, /) -> object:
        """Forget `fd`. To be called before it is closed."""

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Return (fd, events) of what is ready; after `timeout` seconds an empty list."""


class _Poll:
    def __init__(self) -> None:
        poll = select.poll()
        self.register = poll.register
        self.modify = poll.modify
        self.unregister = poll.unregister
        self._poll = poll.poll

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        # Milliseconds, rounded up: rounded down, the last millisecond would be a busy loop.
        return self._poll(None if timeout is None else int(timeout * 1000) + 1)


class _Epoll:
    def __init__(self) -> None:
        epoll = select.epoll()
        self.register = epoll.register
        self.modify = epoll.modify
        self.unregister = epoll.unregister
        self._poll = epoll.poll

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        return self._poll(timeout)


def make_poller(kind: str = KINDS[0]) -> Poller:
    """Return a poller of one of the KINDS."""
    return _Epoll() if kind == "epoll" else _Poll()
