#!/usr/bin/env python3
"""Milestone 1's server: what a client sends comes back to it, for many clients in one thread.

The loop is the lesson. `poll()` tells which sockets are ready; each of them is served for a
moment, without ever waiting for it; then `poll()` again. Nothing else in this program waits, so
nobody who is slow, silent or gone can hold up anybody else.
"""

from __future__ import annotations

import errno
import re
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

# Run as a script, Python looks for modules beside this file; ours are one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import addresses
from common.commandline import invitation, server_parser
from common.errors import exit_status
from common.log import Log
from common.signals import catch_end_signals
from milestone1_echo.client_list import Client, ClientList

RECV_SIZE = 64 * 1024
"""Most bytes taken from one client before the others have their turn."""
RETRY_ACCEPT = 1000
"""Milliseconds until a server without free descriptors tries to accept again."""
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
QUIT = b"/quit"
QUIT_LINE = re.compile(rb"^/quit\r?(?:\n|\Z)", re.MULTILINE)


class EchoServer:
    """Echoes to each client what it sent, until it says /quit or is gone."""

    def __init__(self, listeners: Sequence[socket.socket], log: Log) -> None:
        self.listeners = {listener.fileno(): listener for listener in listeners}
        self.clients = ClientList()
        self.client_of: dict[int, Client] = {}  # by descriptor: that is what poll() reports
        self.accepting = False
        self.poll = select.poll()
        self.log = log

    def run(self, ending: int) -> None:
        """Serve until the descriptor `ending` can be read: a signal has come (1.3, 1.7)."""
        self.poll.register(ending, select.POLLIN)
        self.start_accepting()
        while True:
            ready = self.poll.poll(None if self.accepting else RETRY_ACCEPT)
            for fd, events in ready:
                client = self.client_of.get(fd)
                if client is not None:
                    self.serve(client, events)
                elif fd == ending:
                    return
                else:
                    self.accept_clients(self.listeners[fd])
            if not ready and not self.accepting:
                self.start_accepting()

    def serve(self, client: Client, events: int) -> None:
        """Do for `client` what `poll()` says is possible without waiting (1.3)."""
        try:
            if events & select.POLLIN:
                self.receive(client)
            elif events & select.POLLOUT:
                self.send_waiting(client)
            else:  # POLLHUP, POLLERR or POLLNVAL alone: nothing to read or write any more
                self.drop(client, "lost")
        except BlockingIOError:
            pass  # poll() promised too much; it will tell again
        except OSError as error:
            self.drop(client, f"lost ({error.strerror})")

    # Arrivals

    def accept_clients(self, listener: socket.socket) -> None:
        """Welcome everybody who waits: until accept says that nobody does."""
        while True:
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in NO_DESCRIPTOR:
                    self.stop_accepting(error)
                    return
                continue  # that one left before we came
            self.add_client(sock, address)

    def add_client(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Take a new connection into the list (1.8) and listen to it."""
        sock.setblocking(False)
        # An echo is due at once: do not hold it back in the hope of more bytes (Nagle).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock, addresses.plain_ip(address[0]), address[1])
        self.clients.append(client)
        self.client_of[client.fd] = client
        self.poll.register(client.fd, select.POLLIN)
        self.log(f"connect {addresses.format_address(client.ip, client.port)}")

    def start_accepting(self) -> None:
        """Let `poll()` report arrivals."""
        for fd in self.listeners:
            self.poll.register(fd, select.POLLIN)
        self.accepting = True

    def stop_accepting(self, error: OSError) -> None:
        """Out of descriptors: leave new clients in the backlog until somebody left.

        A listener that stays in `poll()` would be reported ready again and again: a busy loop.
        """
        for fd in self.listeners:
            self.poll.unregister(fd)
        self.accepting = False
        self.log(f"cannot accept for now: {error.strerror}")

    # Bytes

    def receive(self, client: Client) -> None:
        """Read once from `client` and echo what came, up to a line `/quit`."""
        data = client.sock.recv(RECV_SIZE)
        if not data:
            self.drop(client, "left")
            return
        before_quit = self.find_quit(client, data)
        if before_quit is None:
            self.echo(client, data)
        else:
            client.quitting = True
            self.echo(client, before_quit)

    def find_quit(self, client: Client, data: bytes) -> bytes | None:
        """Return what stands before a line `/quit`, or None where there is no such line (1.7).

        TCP may have cut the line in pieces: `client.line` remembers how it began. Its newline may
        be missing, but then all of it must have come in this one read.
        """
        begun = client.line
        if not begun and QUIT not in data and data.endswith(b"\n"):
            return None  # whole lines, none of them /quit: nearly always
        seen = begun + data
        # What may still become /quit is short: keep no more than can tell.
        client.line = seen[seen.rfind(b"\n") + 1 :][: len(QUIT) + 2]
        found = QUIT_LINE.search(seen) if QUIT in seen else None
        if found is None:
            return None
        in_pieces = begun and found.start() == 0
        if in_pieces and not found[0].endswith(b"\n"):
            return None
        return data[: max(0, found.start() - len(begun))]

    def echo(self, client: Client, data: bytes) -> None:
        """Send `data` back to the one it came from, and to nobody else (1.4, 1.6).

        What the kernel does not take waits for POLLOUT. Until it is gone, nothing more is read
        from this client: so an outbox never holds more than one `recv` brought, and TCP tells the
        peer to wait.
        """
        sent = self.send(client, data)
        if sent < len(data):
            client.outbox = data[sent:]
            self.poll.modify(client.fd, select.POLLOUT)
        elif client.quitting:
            self.drop(client, "quit")

    def send_waiting(self, client: Client) -> None:
        """The kernel has room again: send on; when all is gone, listen to `client` again."""
        client.outbox = client.outbox[self.send(client, client.outbox) :]
        if not client.outbox:
            self.poll.modify(client.fd, select.POLLIN)
            if client.quitting:
                self.drop(client, "quit")

    def send(self, client: Client, data: bytes) -> int:
        """Offer `data` to the kernel once; return how many bytes it took."""
        try:
            return client.sock.send(data)
        except BlockingIOError:
            return 0

    # Departures

    def drop(self, client: Client, reason: str) -> None:
        """Forget `client` and close its socket (1.7)."""
        self.poll.unregister(client.fd)
        self.clients.remove(client)
        del self.client_of[client.fd]
        client.sock.close()
        if not self.accepting:  # a descriptor is free again
            self.start_accepting()
        self.log(f"{reason} {addresses.format_address(client.ip, client.port)}")

    def close(self) -> None:
        """Close everything: all clients, then the listeners (1.7)."""
        for client in self.clients:
            self.drop(client, "server ends:")
        for listener in self.listeners.values():
            listener.close()


def main(argv: Sequence[str]) -> int:
    """Run the server as the command line says, until Ctrl-C. Raises UserError (1.2)."""
    args = server_parser(__doc__.splitlines()[0]).parse_args(argv)
    listeners = addresses.listen(args.host, addresses.parse_port(args.port))
    server = EchoServer(listeners, Log(quiet=args.quiet))
    try:
        ending = catch_end_signals()
        port = listeners[0].getsockname()[1]
        print(invitation(__file__, args.host, port), flush=True)
        server.run(ending)
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main, sys.argv[1:]))
