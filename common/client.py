"""The loop of a chat client: keyboard, screen and server in one `poll()`, nobody waits for another.

It knows lines and frames, but no chat command. A milestone's client says what they mean by
overriding `typed` and `received`; it answers with `send` and `console.show`.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

from common import poller
from common.connection import Connection
from common.console import Console
from common.errors import UserError
from common.framing import NEED_MORE, Decoder, Message, ProtocolError, encode
from common.signals import asked_to_end

CONNECT_TIMEOUT: Final = 10.0
"""Seconds given to each of the server's addresses."""
FAREWELL: Final = 1.0
"""Seconds given to the server to answer what we sent and close, after we said that we leave."""
_RECV_SIZE: Final = 64 * 1024
_BACKLOG: Final = 256 * 1024
"""Bytes on their way to the screen or the server from which on we read no more for them."""


class FrameClient:
    """Lines from a console, frames from and to a server, until one of the two ends it."""

    def __init__(self, sock: socket.socket, console: Console) -> None:
        self.console = console
        self.server = Connection(
            sock, Decoder(strict=False), limit=_BACKLOG, has_output=lambda _: None
        )
        self._leaves_at: float | None = None  # when we stop waiting, once we said that we leave
        self._patient = False  # leaving, but not before all answers were shown
        self._ended = False
        self._poller = poller.make_poller()
        self._watched: dict[int, int] = {}
        self._callbacks: dict[int, Callable[[int], None]] = {}
        if console.wakeup is not None:
            self.watch(console.wakeup, poller.READ, lambda _events: console.woken())

    # What a milestone overrides

    def typed(self, line: str) -> None:
        """The user typed a line."""

    def received(self, message: Message) -> None:
        """The server sent a message."""

    def turn_ended(self) -> None:
        """Everything that was ready was served; the next wait is about to begin."""

    def input_ended(self) -> None:
        """No further line will be typed. Unless something is still under way: leave."""
        self.leave(patiently=True)

    def prompt(self) -> str:
        """Return what to show in front of the line being typed."""
        return "> "

    def deadline(self) -> float | None:
        """Return the time (`time.monotonic`) at which `on_time` is due, if it is."""
        return None

    def on_time(self) -> None:
        """The clock has passed `deadline`."""

    # What a milestone calls

    def send(self, message: Message) -> None:
        """Send a message to the server as soon as it takes it."""
        self.server.queue(encode(message))

    def leave(self, *, patiently: bool = False) -> None:
        """Read no more lines; send what waits, show what is still answered, and end.

        `patiently`: not before the server has ended too, or is silent for FAREWELL seconds.
        """
        self._patient = patiently
        self._leaves_at = time.monotonic() + FAREWELL

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(events)` whenever `fd` is ready for one of `events`, or gone."""
        self._callbacks[fd] = callback
        if fd not in self._watched:
            self._poller.register(fd, events)
        elif self._watched[fd] != events:
            self._poller.modify(fd, events)
        self._watched[fd] = events

    def unwatch(self, fd: int) -> None:
        """Forget `fd`. To be called before it is closed."""
        if self._watched.pop(fd, None) is not None:
            self._poller.unregister(fd)
            del self._callbacks[fd]

    # The loop

    def run(self, ending: int) -> None:
        """Run until the user leaves, or `ending` can be read (signals.py).

        Raises UserError if the server ends it.
        """
        self.watch(ending, poller.READ, lambda _events: self._on_signal(ending))
        while not self._ended:
            self._watch_all()
            for fd, events in self._poller.wait(self._patience()):
                callback = self._callbacks.get(fd)  # none: an earlier callback forgot it
                if callback is not None:
                    callback(events)
            now = time.monotonic()
            deadline = self.deadline()
            if deadline is not None and now >= deadline:
                self.on_time()
            self.turn_ended()
            if self._leaves_at is not None and now >= self._leaves_at:
                return

    def _on_signal(self, ending: int) -> None:
        self._ended = self._ended or asked_to_end(ending)

    def close(self) -> None:
        """Close the connection, and show what was not shown yet."""
        self.server.sock.close()
        self.console.close()

    def _watch_all(self) -> None:
        """Send and show what gathered; then wait for what there is room for."""
        server, console = self.server, self.console
        self._flush_server()
        console.set_prompt(self.prompt() if self._leaves_at is None else "")
        console.flush()
        events = poller.READ if console.backlog < _BACKLOG else 0
        if server.waiting:
            events |= poller.WRITE
        self.watch(server.fd, events, self._serve)
        typing = self._leaves_at is None and not console.at_end
        if typing and server.waiting < _BACKLOG and console.backlog < _BACKLOG:
            self.watch(console.fileno(), poller.READ, self._read_keyboard)
        else:
            self.unwatch(console.fileno())
        if console.backlog:
            self.watch(console.screen_fileno(), poller.WRITE, lambda _events: None)
        else:
            self.unwatch(console.screen_fileno())

    def _patience(self) -> float | None:
        due = [moment for moment in (self._leaves_at, self.deadline()) if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _read_keyboard(self, _events: int) -> None:
        for line in self.console.read_lines():
            if self._leaves_at is None:
                self.typed(line)
        if self.console.at_end and self._leaves_at is None:
            self.input_ended()

    def _flush_server(self) -> None:
        if self._patient and (self.server.waiting or self.console.backlog):
            self.leave(patiently=True)  # no hurry while there is something to send or show
        try:
            self.server.flush()
        except OSError:
            return  # it is gone: reading will tell
        if self._leaves_at is not None and not self.server.waiting:
            # Half-close: the server reads an end of file, and can still answer what we sent.
            with contextlib.suppress(OSError):
                self.server.sock.shutdown(socket.SHUT_WR)

    def _serve(self, events: int) -> None:
        if events & ~poller.WRITE:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self.server.sock.recv(_RECV_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end_of_server()
            return
        if self._patient:
            self.leave(patiently=True)
        decoder = self.server.decoder
        decoder.receive_data(data)
        try:
            while (message := decoder.next_message()) is not NEED_MORE:
                self.received(message)  # type: ignore[arg-type]
        except ProtocolError as error:
            raise UserError(f"the server does not speak our protocol: {error}") from None

    def _end_of_server(self) -> None:
        if self._leaves_at is None:
            raise UserError("connection closed by server")
        self._ended = True
