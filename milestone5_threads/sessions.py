"""Sessions: one connected client each, with the two threads that wait for it (5.10).

- The *reading thread* waits in `recv`, and does what its client asks.
- The *writing thread* waits for the outbox, and then in `sendall`, for this client alone.

Who may touch the socket? The reading thread receives and, last of all, closes; the writing thread
sends; every other thread only calls `hang_up`. Closing a socket under a thread that waits in
`recv` would not even wake it, and the number of the descriptor could go to the next client while
the old thread still uses it. `shutdown` does wake it: `recv` returns b"", as if the peer had left.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from common.json_stream import NEED_MORE, Decoder, JSONStreamError, encode
from milestone5_threads.outbox import Outbox

CHUNK: Final = 65536
"""Bytes asked for in one `recv`."""
FAREWELL: Final = 2.0
"""Seconds that a client has to read what is still on its way when its session ends."""


class Session:
    """One client: its socket, its outbox, its name once it is logged in.

    `serve` is what its reading thread runs; it ends with `close`.
    """

    def __init__(self, sock: socket.socket, address: str, serve: Callable[[Session], None]) -> None:
        self.address = address
        self.name: str | None = None  # set by the reading thread alone
        self.attempts = 0  # refused logins, and
        self.faults = 0  # malformed objects: counted by the reading thread
        self.outbox = Outbox()
        self._sock = sock
        self._decoder = Decoder()
        self._reader = threading.Thread(target=serve, args=(self,), daemon=True)
        self._writer = threading.Thread(target=self._write, daemon=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.name else self.address

    def start(self) -> None:
        """Start both threads (5.10). Raises RuntimeError when the system has no more threads."""
        self._writer.start()
        self._reader.start()

    def requests(self) -> Iterator[dict[str, Any] | JSONStreamError]:
        """Yield what the client sends, broken parts as the error they are, until it leaves (5.1).

        Raises OSError when the connection is lost.
        """
        while data := self._sock.recv(CHUNK):
            self._decoder.receive_data(data)
            while True:
                try:
                    value = self._decoder.next_value()
                except JSONStreamError as error:
                    yield error
                    continue
                if value is NEED_MORE:
                    break
                assert isinstance(value, dict)
                yield value

    def tell(self, message: Mapping[str, object]) -> None:
        """Put one object into the outbox; see `deliver`."""
        self.deliver(encode(message))

    def deliver(self, data: bytes) -> None:
        """Put one encoded object into the outbox; drop a client that does not read (5.B).

        Never waits, so it may be called by any thread, also under a lock.
        """
        if not self.outbox.put(data):
            self.outbox.discard()
            self.hang_up()

    def hang_up(self) -> None:
        """Wake both threads, whatever they wait for; the reading thread then cleans up."""
        self._shutdown(socket.SHUT_RDWR)

    def end_requests(self) -> None:
        """Make the reading thread see the end of its input; what is on its way still goes out."""
        self._shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """End the connection; called by the reading thread, as the last thing it does (5.9).

        First the writing thread sends what is left. Then half-close and read until the client
        closes as well: a socket closed over unread bytes is reset, and a reset makes the client's
        kernel throw away the farewell that it has not yet read. All of it within FAREWELL seconds.
        """
        deadline = time.monotonic() + FAREWELL
        self.outbox.close()
        self._writer.join(FAREWELL)
        self._shutdown(socket.SHUT_WR)
        self._read_until_closed(deadline)
        self.hang_up()
        self._writer.join()
        self._sock.close()

    def join(self, timeout: float) -> bool:
        """Wait for the reading thread; say whether it has ended, or never ran."""
        with contextlib.suppress(RuntimeError):  # Ctrl-C came between accept and start
            self._reader.join(timeout)
        return not self._reader.is_alive()

    def _write(self) -> None:
        """The writing thread's whole life: one object, one `sendall` (5.10).

        One by one on purpose: there are clients that take what one `recv` returns for one object.
        """
        try:
            while (data := self.outbox.take()) is not None:
                self._sock.sendall(data)
        except OSError:
            self.outbox.discard()
            self.hang_up()

    def _read_until_closed(self, deadline: float) -> None:
        with contextlib.suppress(OSError):
            while (left := deadline - time.monotonic()) > 0:
                self._sock.settimeout(left)
                if not self._sock.recv(CHUNK):
                    return

    def _shutdown(self, how: int) -> None:
        with contextlib.suppress(OSError):  # the other side was faster
            self._sock.shutdown(how)


class Users:
    """Who is logged in (5.4, 5.8), for all threads.

    `_lock` guards the record, *and* the order of the lists that go out: were a list made under
    the lock but put into the outboxes after it, two logins at once could overtake each other, and
    somebody would keep the older list. Putting is allowed under the lock because it never waits;
    sending is not. Order of locks: this one, then an outbox's, never the other way round.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def enter(self, name: str, session: Session) -> bool:
        """Log that session in and send everybody the new list (5.3, 5.4).

        Say False, and change nothing, if the name is already logged in (5.2).
        """
        with self._lock:
            if name in self._sessions:
                return False
            session.name = name
            self._sessions[name] = session
            self._announce()
            return True

    def leave(self, session: Session) -> None:
        """Log that session out, if it is in, and send everybody the new list (5.4)."""
        with self._lock:
            if session.name is not None and self._sessions.get(session.name) is session:
                del self._sessions[session.name]
                self._announce()

    def clear(self) -> None:
        """Log everybody out without a word, when the server itself goes down."""
        with self._lock:
            self._sessions.clear()

    def names(self) -> list[str]:
        """Return the names of all who are logged in, sorted (5.8)."""
        with self._lock:
            return sorted(self._sessions)

    def find(self, name: str) -> Session | None:
        """Return the session under that name, or None (5.6, 5.7)."""
        with self._lock:
            return self._sessions.get(name)

    def others(self, session: Session) -> list[Session]:
        """Return all who are logged in, but not that session (5.5)."""
        with self._lock:
            return [other for other in self._sessions.values() if other is not session]

    def _announce(self) -> None:
        data = encode({"type": "update_users", "users": sorted(self._sessions)})
        for session in self._sessions.values():
            session.deliver(data)
