"""The loop of milestone 1, made reusable: many connections, one thread, frames in and out.

It knows bytes, frames and sockets, but no chat command. A milestone's server says what frames
mean by overriding `connected`, `received` and `disconnected`; it answers with
`Connection.queue`, and never touches a socket.

A turn of the loop:
1. `poll()` says who is ready.
2. Each of them is read once; whole messages go to `received`, which fills outboxes.
3. Every outbox that has something gets one `send`. What the kernel does not take waits for
   POLLOUT, up to a limit: a peer that does not read is dropped, and costs the others nothing.
4. Who left, was lost or dismissed is let go. Never in the middle of step 2: a handler need not
   fear that a connection disappears under its hands.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Sequence
from typing import Final

from common import poller
from common.connection import Connection
from common.framing import NEED_MORE, Decoder, Message, ProtocolError
from common.log import Log

RECV_SIZE: Final = 64 * 1024
"""Most bytes taken from one connection before the others have their turn."""
OUTBOX_LIMIT: Final = 8 * 1024 * 1024
"""Bytes that may wait for a peer that does not read, before it is dropped."""
PAUSE_READING: Final = 1024 * 1024
"""Bytes in its outbox from which on a connection is not read: it would only ask for more."""
LINGER: Final = 2.0
"""Seconds given to a peer to read our last words."""
RETRY_ACCEPT: Final = 1.0
"""Seconds until a server without free descriptors tries to accept again."""
_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class FrameServer:
    """Accepts connections and moves frames, until a signal ends it."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        log: Log,
        *,
        poller_kind: str = poller.KINDS[0],
        outbox_limit: int = OUTBOX_LIMIT,
    ) -> None:
        self.log = log
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._connections: dict[int, Connection] = {}  # by descriptor
        self._poller = poller.make_poller(poller_kind)
        self._outbox_limit = outbox_limit
        self._have_output: set[Connection] = set()
        self._parting: dict[Connection, str] = {}  # to be let go when this turn ends, and why
        self._leaving: dict[Connection, float] = {}  # let go; closed at this time at the latest
        self._accept_again: float | None = None  # when, while we are out of descriptors
        self._ended = False

    # What a milestone overrides

    def connected(self, connection: Connection) -> None:
        """Somebody came."""

    def received(self, connection: Connection, message: Message) -> None:
        """One whole message came."""

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """What came cannot be a frame. Last words may be queued; then the connection ends (N.B)."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Somebody left, was lost or dismissed: nothing more comes, and nothing may be queued."""

    # What a milestone calls

    def dismiss(self, connection: Connection, reason: str) -> None:
        """Listen no more to `connection`; when it was sent what waits in its outbox, close it."""
        connection.parting = True
        self._parting.setdefault(connection, reason)

    # The loop

    def run(self, ending: int) -> None:
        """Serve until the descriptor `ending` can be read (signals.py)."""
        self._poller.register(ending, poller.READ)
        self._start_accepting()
        while not self._ended:
            self._turn()

    def close(self) -> None:
        """Close every connection, then the listeners."""
        for connection in self._connections.values():
            connection.sock.close()
        for listener in self._listeners.values():
            listener.close()

    def _turn(self) -> None:
        connections = self._connections
        for fd, events in self._poller.wait(self._patience()):
            connection = connections.get(fd)
            if connection is not None:
                self._serve(connection, events)
            elif fd in self._listeners:
                self._accept(self._listeners[fd])
            else:
                self._ended = True
        while self._have_output or self._parting:
            self._send_output()
            self._let_go()
        if self._leaving:
            self._close_the_late()
        if self._accept_again is not None and time.monotonic() >= self._accept_again:
            self._start_accepting()

    def _patience(self) -> float | None:
        """Return the seconds until something is due by the clock; None if nothing is."""
        if not self._leaving and self._accept_again is None:
            return None
        due = list(self._leaving.values())
        if self._accept_again is not None:
            due.append(self._accept_again)
        return max(0.0, min(due) - time.monotonic())

    # Input

    def _serve(self, connection: Connection, events: int) -> None:
        if events & poller.WRITE:
            self._have_output.add(connection)
        if events & poller.READ:
            self._receive(connection)
        elif events & poller.GONE:
            self._lose(connection, "lost")

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(RECV_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(connection, f"lost ({error.strerror})")
            return
        if not data:
            connection.at_end = True
            self.dismiss(connection, "left")
        elif not connection.parting:
            self._decode(connection, data)

    def _decode(self, connection: Connection, data: bytes) -> None:
        received = self.received
        next_message = connection.decoder.next_message
        connection.decoder.receive_data(data)
        try:
            while not connection.parting:
                message = next_message()
                if message is NEED_MORE:
                    return
                received(connection, message)  # type: ignore[arg-type]
        except ProtocolError as error:
            self.refused(connection, error)
            self.dismiss(connection, f"dropped ({error})")

    def _lose(self, connection: Connection, reason: str) -> None:
        connection.broken = True
        self.dismiss(connection, reason)

    # Output

    def _send_output(self) -> None:
        batch = list(self._have_output)
        self._have_output.clear()
        for connection in batch:
            try:
                connection.flush()
            except OSError as error:
                self._lose(connection, f"lost ({error.strerror})")
                continue
            if connection.waiting > self._outbox_limit:
                self._lose(connection, f"dropped (does not read: {connection.waiting} bytes wait)")
            elif connection in self._leaving:
                self._go_on_leaving(connection)
            else:
                self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Tell the poller what `connection` waits for, if that changed."""
        events = poller.WRITE if connection.waiting else 0
        if not connection.at_end and connection.waiting < PAUSE_READING:
            events |= poller.READ
        if events != connection.events:
            connection.events = events
            self._poller.modify(connection.fd, events)

    # Departures

    def _let_go(self) -> None:
        """Part from those who left, were lost or dismissed in this turn.

        `disconnected` may queue farewells for others, and they may fail: so this repeats.
        """
        parting = list(self._parting.items())
        self._parting.clear()
        for connection, reason in parting:
            if connection not in self._leaving:
                self.disconnected(connection, reason)
                self._leaving[connection] = time.monotonic() + LINGER
            self._go_on_leaving(connection)

    def _go_on_leaving(self, connection: Connection) -> None:
        """Take the next step: send the rest, say that it was all, wait for the peer's end, close.

        Closing at once would be wrong: where bytes lie unread, the kernel answers with a reset,
        which destroys what the peer has not read yet, our last words among it.
        """
        if connection.broken or (connection.at_end and not connection.waiting):
            self._close(connection)
            return
        if connection.waiting:
            self._leaving[connection] = time.monotonic() + LINGER
        else:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_WR)
        self._watch(connection)

    def _close_the_late(self) -> None:
        now = time.monotonic()
        for connection in [late for late, deadline in self._leaving.items() if deadline <= now]:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        del self._leaving[connection]
        del self._connections[connection.fd]
        self._parting.pop(connection, None)
        self._have_output.discard(connection)
        self._poller.unregister(connection.fd)
        connection.sock.close()
        if self._accept_again is not None:  # a descriptor is free
            self._start_accepting()

    # Arrivals

    def _accept(self, listener: socket.socket) -> None:
        """Welcome everybody who waits: until accept says that nobody does."""
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    self._stop_accepting(error)
                    return
                continue  # that one left before we came
            try:
                self._add(sock)
            except OSError:
                sock.close()  # gone already

    def _add(self, sock: socket.socket) -> None:
        connection = Connection(
            sock, Decoder(), limit=self._outbox_limit, has_output=self._have_output.add
        )
        self._connections[connection.fd] = connection
        self._poller.register(connection.fd, connection.events)
        self.connected(connection)

    def _start_accepting(self) -> None:
        for fd in self._listeners:
            self._poller.register(fd, poller.READ)
        self._accept_again = None

    def _stop_accepting(self, error: OSError) -> None:
        """Out of descriptors: leave new clients in the backlog for a while.

        A listener that stays in `poll()` would be reported ready again and again: a busy loop.
        """
        for fd in self._listeners:
            self._poller.unregister(fd)
        self._accept_again = time.monotonic() + RETRY_ACCEPT
        self.log(f"cannot accept for now: {error.strerror}")
