#!/usr/bin/env python3
"""Milestone 1's client: sends what is typed, and shows what the server sends back.

Two things can happen at any time: somebody types, or the server says something. A program that
waits for one of them is deaf to the other. So `poll()` waits for both.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

# Run as a script, Python looks for modules beside this file; ours are one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import addresses
from common.commandline import client_parser
from common.errors import UserError, exit_status
from common.lines import LineBuffer
from common.signals import catch_end_signals
from common.text import harmless

CONNECT_TIMEOUT = 10.0
"""Seconds given to each of the server's addresses."""
FAREWELL = 1.0
"""Seconds without a byte from the server after which we do not wait for its end, when we leave."""
RECV_SIZE = 64 * 1024
KEYBOARD = 0
SCREEN = 1
QUIT = b"/quit"


class EchoClient:
    """Keyboard to server, server to screen, until one of the two has enough."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.typed = LineBuffer()
        self.outbox = b""  # typed, but not yet taken by the kernel
        self.leaves_at: float | None = None  # when we stop waiting, once we said that we leave
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.at_line_start = True  # on the screen

    def run(self, ending: int) -> None:
        """Run until the user or the server ends it (1.5). Raises UserError if the server did.

        The user may also send a signal: then the descriptor `ending` can be read.
        """
        while True:
            ready = self.wait(ending)
            if ending in ready:
                return
            if self.leaves_at is not None and time.monotonic() >= self.leaves_at:
                return
            server_events = ready.get(self.sock.fileno(), 0)
            if server_events & select.POLLOUT:
                self.send(b"")
            if server_events & ~select.POLLOUT and not self.receive():
                return
            if KEYBOARD in ready:
                self.read_keyboard()

    def wait(self, ending: int) -> dict[int, int]:
        """Wait until something can be done without waiting; return descriptors and events (1.5)."""
        poll = select.poll()
        poll.register(ending, select.POLLIN)
        poll.register(self.sock, select.POLLIN | (select.POLLOUT if self.outbox else 0))
        # A new line is read when the last one is on its way: a fast pipe has to wait.
        if self.leaves_at is None and not self.outbox:
            poll.register(KEYBOARD, select.POLLIN)
        return dict(poll.poll(self.milliseconds_left()))

    def milliseconds_left(self) -> int | None:
        """Return how long `poll()` may wait: forever, or until our patience ends."""
        if self.leaves_at is None:
            return None
        return max(0, int((self.leaves_at - time.monotonic()) * 1000) + 1)

    # Keyboard to server

    def read_keyboard(self) -> None:
        """Send the lines typed since last time (1.4); /quit or a closed keyboard ends (1.7)."""
        try:
            data = os.read(KEYBOARD, RECV_SIZE)
        except OSError:  # the terminal is gone
            data = b""
        for line in self.typed.receive_data(data):
            self.send(line + b"\n")
            if line == QUIT:
                self.leave()
                return
        if not data:
            self.send(self.typed.take_rest())
            self.leave()

    def send(self, data: bytes) -> None:
        """Put `data` behind what still waits, and offer the kernel all of it."""
        self.outbox += data
        try:
            self.outbox = self.outbox[self.sock.send(self.outbox) :]
        except BlockingIOError:
            pass
        except OSError:
            self.outbox = b""  # the server is gone: receive() will find out and say so
        if self.leaves_at is not None and not self.outbox:
            self.end_sending()

    def leave(self) -> None:
        """Nothing more will be typed. What was sent is still echoed, so read on for a moment."""
        self.leaves_at = time.monotonic() + FAREWELL
        if not self.outbox:
            self.end_sending()

    def end_sending(self) -> None:
        """Half-close: the server reads an end of file, and can still answer."""
        with contextlib.suppress(OSError):  # closed already by the other side
            self.sock.shutdown(socket.SHUT_WR)

    # Server to screen

    def receive(self) -> bool:
        """Show what came. Return False when the server has closed after we said that we leave.

        Raises UserError where it closed on its own.
        """
        try:
            data = self.sock.recv(RECV_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if data:
            self.show(data)
            if self.leaves_at is not None:
                self.leaves_at = time.monotonic() + FAREWELL
            return True
        if self.leaves_at is None:
            raise UserError("connection closed by server")
        return False

    def show(self, data: bytes) -> None:
        """Show text at once, also half a line; a character cut in two waits for its other half."""
        text = harmless(self.decoder.decode(data))
        shown = ""
        for line in text.splitlines(keepends=True):
            if self.at_line_start:
                shown += "Message received: "
            shown += line
            self.at_line_start = line.endswith("\n")
        write_all(SCREEN, shown)

    def close(self) -> None:
        """Leave screen and server in order."""
        self.sock.close()
        if not self.at_line_start:
            write_all(SCREEN, "\n")


def write_all(fd: int, text: str) -> None:
    """Write all of `text`, as UTF-8: like `send`, `write` may take only a part of it."""
    data = text.encode()
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError as error:
        raise UserError(f"cannot write to the screen: {error.strerror}") from None


def main(argv: Sequence[str]) -> int:
    """Run the client as the command line says. Raises UserError (1.1)."""
    args = client_parser(__doc__.splitlines()[0]).parse_args(argv)
    sock = addresses.connect(args.host, addresses.parse_port(args.port), CONNECT_TIMEOUT)
    client = EchoClient(sock)
    try:
        client.run(catch_end_signals())
    finally:
        client.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main, sys.argv[1:]))
