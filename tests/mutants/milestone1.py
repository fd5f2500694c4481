"""Wrong programs of milestone 1. What they derive from is milestone1_echo/, on the same lines."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from common.addresses import connect, listen, parse_port
from common.errors import UserError, exit_status
from common.signals import catch_end_signals
from milestone1_echo.client import KEYBOARD, QUIT, SCREEN, EchoClient, write_all
from milestone1_echo.client_list import Client
from milestone1_echo.server import RECV_SIZE, EchoServer
from tests.mutants.registry import mutant

# 1.1: the client's arguments


@mutant("1.1", "client", instead_of=exit_status, also=("1.B",))
def crashes_on_errors(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Whatever is wrong, with arguments or server, ends in a traceback."""
    return main(argv)


@mutant("1.1", "client", instead_of=exit_status)
def exits_zero_on_errors(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """The client says what is wrong, and exits with status 0."""
    try:
        return main(argv)
    except UserError as error:
        print(error)
        return 0


@mutant("1.1", "client", instead_of=exit_status)
def fails_without_a_word(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """The client exits with status 1, and does not say why."""
    try:
        return main(argv)
    except UserError:
        return 1


@mutant("1.1", "client", instead_of=connect)
def takes_no_host_name(host: str, port: int, timeout: float) -> socket.socket:
    """The host must be an address, as for inet_pton(); a name is refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        raise UserError(f"{host} is no address") from None
    return connect(host, port, timeout)


# 1.2: the server's argument


@mutant("1.2", "server", instead_of=parse_port)
def cuts_the_port_to_16_bits(text: str) -> int:
    """A port such as 70000 is taken for another, as by htons(atoi())."""
    with contextlib.suppress(ValueError):
        return int(text) % 65536
    raise UserError(f"invalid port {text}")


@mutant("1.2", "server", instead_of=parse_port)
def listens_on_8080(text: str) -> int:
    """The server checks its argument, and listens on 8080 whatever it says."""
    parse_port(text)
    return 8080


@mutant("1.2", "server", instead_of=listen)
def does_not_reuse_the_address(host: str | None, port: int) -> list[socket.socket]:
    """SO_REUSEADDR is missing: a restart has to wait for the old connections' TIME_WAIT."""
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind(("::", port))
    except OSError as error:
        raise UserError(f"cannot listen on port {port}: {error.strerror}") from None
    listener.listen()
    listener.setblocking(False)
    return [listener]


@mutant("1.2", "server", instead_of=listen)
def shares_an_occupied_port(host: str | None, port: int) -> list[socket.socket]:
    """SO_REUSEPORT instead of SO_REUSEADDR: a second server starts beside the first."""
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", port))
    listener.listen()
    listener.setblocking(False)
    return [listener]


@mutant("1.2", "server", instead_of=exit_status)
def crashes_on_wrong_arguments(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """A missing, invalid or occupied port ends in a traceback."""
    return main(argv)


# 1.3: several clients at the same time


class ServesAlone(EchoServer):
    """No mutant: what the two below have in common, an echo that waits in recv()."""

    def serve_alone(self, sock: socket.socket) -> None:
        """Echo until the end, or a line /quit."""
        sock.setblocking(True)
        client = Client(sock, "", 0)
        with contextlib.suppress(OSError), sock:
            while data := sock.recv(RECV_SIZE):
                before_quit = self.find_quit(client, data)
                sock.sendall(data if before_quit is None else before_quit)
                if before_quit is not None:
                    return


@mutant("1.3", "server", instead_of=EchoServer)
class StartsAThreadPerClient(ServesAlone):
    """Every client gets a thread of its own."""

    def add_client(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Serve it in the background."""
        threading.Thread(target=self.serve_alone, args=[sock], daemon=True).start()


@mutant("1.3", "server", instead_of=EchoServer, also=("1.7", "1.B"))
class ServesOneAfterTheOther(ServesAlone):
    """The next client is accepted when the one before has left."""

    def add_client(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Serve it to its end."""
        self.serve_alone(sock)


@mutant("1.3", "server", also=("1.B",))
class WaitsForTheEndOfTheLine(EchoServer):
    """Having begun a line, the server waits for the rest of it: half a line holds up everybody."""

    def receive(self, client: Client) -> None:
        """Read on until a newline comes."""
        client.sock.setblocking(True)
        line = b""
        while not line.endswith(b"\n"):
            byte = client.sock.recv(1)
            if not byte:
                self.drop(client, "left")
                return
            line += byte
        client.quitting = line.strip() == QUIT
        self.echo(client, b"" if client.quitting else line)


# 1.4: a line comes back


@mutant("1.4", "server")
class HasABufferOf256Bytes(EchoServer):
    """What is longer than the buffer is cut off."""

    def echo(self, client: Client, data: bytes) -> None:
        """Echo what fits."""
        super().echo(client, data[:256])


@mutant("1.4", "server")
class TakesAnEmptyLineForTheEnd(EchoServer):
    """An empty line is taken for the end of the connection."""

    def receive(self, client: Client) -> None:
        """Look what comes before reading it."""
        if client.sock.recv(RECV_SIZE, socket.MSG_PEEK) in (b"", b"\n"):
            self.drop(client, "left")
        else:
            super().receive(client)


@mutant("1.4", "client")
class SendsAsciiOnly(EchoClient):
    """Characters beyond ASCII are lost on the way to the server."""

    def send(self, data: bytes) -> None:
        """Send what is ASCII."""
        super().send(bytes(byte for byte in data if byte < 128))


@mutant("1.4", "client")
class ObeysBackslashes(EchoClient):
    r"""A typed backslash is taken for the beginning of an escape sequence such as \n."""

    def send(self, data: bytes) -> None:
        """Replace the two that are best known."""
        super().send(data.replace(rb"\n", b"\n").replace(rb"\t", b"\t"))


@mutant("1.4", "client")
class SplitsLinesAtBlanks(EchoClient):
    """The line is read with scanf("%s"): one word is one line."""

    def send(self, data: bytes) -> None:
        """Send each word by itself."""
        super().send(b"\n".join(data.split()) + b"\n" if data.strip() else data)


@mutant("1.4", "client")
class EchoesByItself(EchoClient):
    """The client prints what was typed, and asks no server."""

    def send(self, data: bytes) -> None:
        """Show it at once; only /quit is for the server."""
        if data.strip() == QUIT:
            super().send(data)
        else:
            write_all(SCREEN, data.decode("utf-8", "replace"))


# 1.5: keyboard and socket at the same time


@mutant("1.5", "client")
class ListensInTurns(EchoClient):
    """First a line from the keyboard, then its echo from the server, then the next line."""

    keyboard_is_next = False

    def wait(self, ending: int) -> dict[int, int]:
        """Wait for the one whose turn it is."""
        self.keyboard_is_next = not self.keyboard_is_next and self.leaves_at is None
        fd = KEYBOARD if self.keyboard_is_next else self.sock.fileno()
        poll = select.poll()
        poll.register(ending, select.POLLIN)
        poll.register(fd, select.POLLIN)
        return dict(poll.poll(self.milliseconds_left()))


# 1.6: to its sender alone


@mutant("1.6", "server")
class EchoesToEverybody(EchoServer):
    """The echo goes to all clients."""

    def echo(self, client: Client, data: bytes) -> None:
        """Walk through the list."""
        for other in self.clients:
            super().echo(other, data)


@mutant("1.6", "server")
class EchoesToTheNextOneToo(EchoServer):
    """The echo goes to its sender and to the next client in the list."""

    def echo(self, client: Client, data: bytes) -> None:
        """An error by one in a loop, say."""
        if client.next is not None:
            super().echo(client.next, data)
        super().echo(client, data)


@mutant("1.6", "server")
class SendsWhatIsLeftInItsBuffer(EchoServer):
    """One buffer serves all clients, and all of it is sent: behind a short line comes the rest of
    somebody's longer one."""

    left = b""

    def echo(self, client: Client, data: bytes) -> None:
        """Send further than what came."""
        self.left = data + self.left[len(data) :]
        super().echo(client, self.left)


# 1.7: leaving


@mutant("1.7", "server")
class FindsQuitAnywhere(EchoServer):
    """/quit inside a line ends the connection, too."""

    def find_quit(self, client: Client, data: bytes) -> bytes | None:
        """Look for the word alone."""
        before, quit_, _ = data.partition(QUIT)
        return before if quit_ else None


@mutant("1.7", "server")
class EndsWithItsLastClient(EchoServer):
    """The server ends when the last of its clients leaves."""

    def drop(self, client: Client, reason: str) -> None:
        """Exit, with status 0."""
        super().drop(client, reason)
        if not self.client_of:
            os._exit(0)


@mutant("1.7", "client")
class ExitsOneOnQuit(EchoClient):
    """After /quit the client exits with status 1."""

    def leave(self) -> None:
        """Leave as if something had gone wrong."""
        raise UserError("bye")


@mutant("1.7", "client")
class DoesNotEndOnQuit(EchoClient):
    """After /quit the client closes the connection, and goes on."""

    def leave(self) -> NoReturn:
        """Wait for whatever."""
        self.sock.close()
        while True:
            time.sleep(60)


@mutant("1.7", "server")
class DoesNotCloseTheSocket(EchoServer):
    """Whoever has left is forgotten, but the socket stays open."""

    def drop(self, client: Client, reason: str) -> None:
        """Do everything but close."""
        sock = client.sock
        client.sock = sock.dup()
        super().drop(client, reason)
        leaked.append(sock)


leaked: list[object] = []


@mutant("1.7", "server", instead_of=catch_end_signals)
def ignores_ctrl_c() -> int:
    """Ctrl-C does not end the server."""
    ending = catch_end_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return ending


@mutant("1.7", "server")
class NeverNoticesTheEnd(EchoServer):
    """recv() returning nothing is not taken for the end: poll() reports it again at once."""

    def receive(self, client: Client) -> None:
        """Read, unless there is nothing."""
        if client.sock.recv(1, socket.MSG_PEEK):
            super().receive(client)


# 1.A: both families


@mutant("1.A", "server", instead_of=listen)
def listens_on_ipv4_only(host: str | None, port: int) -> list[socket.socket]:
    """The server has an IPv4 socket only."""
    return listen("0.0.0.0", port)


@mutant("1.A", "client", instead_of=connect)
def connects_over_ipv4_only(host: str, port: int, timeout: float) -> socket.socket:
    """The client looks for IPv4 addresses only."""
    if ":" in host:
        raise UserError(f"unknown host {host}")
    return connect("127.0.0.1" if host == "localhost" else host, port, timeout)


# 1.B: bad behaviour


@mutant("1.B", "server")
class CrashesOnBytesThatAreNoText(EchoServer):
    """What comes is decoded as UTF-8 without a thought of other bytes."""

    def echo(self, client: Client, data: bytes) -> None:
        """Decode and encode again."""
        super().echo(client, data.decode().encode())


@mutant("1.B", "server", shown_by="a_reader_that_never_reads_harms_nobody_else")
class WaitsForSlowReaders(EchoServer):
    """Sockets block: a client that does not read its echoes holds up everybody."""

    def send(self, client: Client, data: bytes) -> int:
        """Send all of it, however long it takes."""
        client.sock.setblocking(True)
        client.sock.sendall(data)
        return len(data)


@mutant("1.B", "server")
class CrashesOnALongLine(EchoServer):
    """More than 4,096 bytes at once overrun a buffer."""

    def receive(self, client: Client) -> None:
        """Read into a buffer on the stack."""
        if len(client.sock.recv(RECV_SIZE, socket.MSG_PEEK)) > 4096:
            os.kill(os.getpid(), signal.SIGSEGV)
        super().receive(client)


@mutant("1.B", "client", shown_by="a_bad_server_does_not_crash_the_client")
class CrashesOnBytesOfTheServer(EchoClient):
    """What the server sends is decoded without a thought of bytes that are no text."""

    def show(self, data: bytes) -> None:
        """Decode strictly."""
        super().show(data.decode().encode())


# 1.C: at rest


@mutant("1.C", "server", shown_by="an_idle_server_uses_no_cpu")
class AsksWithoutRest(EchoServer):
    """poll() is called with a timeout of 0: a busy loop."""

    def run(self, ending: int) -> None:
        """Ask whether somebody is ready, again and again."""
        self.poll.register(ending, select.POLLIN)
        self.start_accepting()
        while True:
            for fd, events in self.poll.poll(0):
                if fd == ending:
                    return
                if fd in self.listeners:
                    self.accept_clients(self.listeners[fd])
                elif fd in self.client_of:
                    self.serve(self.client_of[fd], events)


@mutant("1.C", "server", shown_by="memory_returns_to_the_baseline")
class KeepsABufferPerClient(EchoServer):
    """Every client gets a buffer that nobody frees."""

    def add_client(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Allocate, and touch every page."""
        leaked.append(bytearray(os.urandom(1024)) * 64)
        super().add_client(sock, address)


@mutant("1.C", "server")
class OpensALogPerClient(EchoServer):
    """Every client gets a log file that nobody closes."""

    def add_client(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Open one more file."""
        leaked.append(open(os.devnull, "w"))  # noqa: SIM115
        super().add_client(sock, address)


if __name__ == "__main__":
    sys.exit("this file is a list of mutants; run.py starts them")
