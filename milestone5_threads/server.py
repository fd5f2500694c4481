#!/usr/bin/env python3
"""Milestone 5, server: the chat of milestone 2 again, one thread per client, JSON, accounts.

Every client has a thread that waits for it in `recv` and may wait as long as it likes, so the code
of one conversation reads from top to bottom: log in, then commands, then good-bye. The price:
all these threads run at once on shared records. So every record has one lock (see the table in
README.md), and one rule keeps the chat alive: *nobody sends, computes or sleeps under a lock.*

Rules of this file:
- A handler answers its client with exactly one object, and never sends: it puts into outboxes.
- What must reach others is put before the confirmation is: whoever has it knows that it is done.
- A user is who logged in on this connection, whatever an object claims.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sqlite3
import string
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

# Run as a script, Python looks for modules beside this file; ours are one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.addresses import format_address, listen, parse_port, plain_ip
from common.commandline import Parser, invitation, server_parser
from common.errors import USAGE, UserError, exit_status
from common.json_stream import JSONStreamError, encode
from common.log import Log
from common.signals import catch_end_signals
from milestone5_threads.accounts import Accounts
from milestone5_threads.sessions import Session, Users

MAX_CLIENTS: Final = 200
"""Connections at once: every one costs two threads, and may cost a full outbox."""
MAX_NAME: Final = 32
MAX_PASSWORD: Final = 128
"""Characters; a longer one would only make the hash's input longer."""
MAX_ATTEMPTS: Final = 5
"""Refused logins before a connection is closed."""
MAX_FAULTS: Final = 20
"""Malformed objects before a connection is closed."""
PAUSE: Final = 0.5
"""Seconds that the first wrong password costs; the second costs twice that, and so on."""
STOPPING: Final = 3.0
"""Seconds that all threads together have to end after Ctrl-C, before connections are cut."""

Request = dict[str, Any]


class Refused(Exception):
    """The request is not granted; the text tells the client why. Nothing has changed."""


class Malformed(Refused):
    """The request is not one of the protocol (5.12)."""


class Leave(Exception):
    """This session ends now."""


class ChatServer:
    """Accepts clients and serves each in a thread of its own (5.10).

    `_lock` guards `_sessions`; the users and the accounts guard themselves.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        accounts: Accounts,
        *,
        max_clients: int = MAX_CLIENTS,
        pause: float = PAUSE,
        log: Log,
    ) -> None:
        self.users = Users()
        self._accounts = accounts
        self._listeners = listeners
        self._max_clients = max_clients
        self._pause = pause
        self._write_log = log
        self._log_lock = threading.Lock()
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._stopping = threading.Event()
        self._commands: dict[str, Callable[[Session, Request], None]] = {
            "LOGIN": self.log_in,
            "PM": self.send_to_all,
            "DM": self.send_to_one,
            "WHO": self.list_users,
            "EX": self.end_session,
        }

    # The main thread: accept, and stop.

    def run(self, ending: int) -> None:
        """Accept clients until Ctrl-C or SIGTERM makes the descriptor `ending` readable."""
        by_fd = {listener.fileno(): listener for listener in self._listeners}
        while True:
            # A listener per address, and the signals; nothing else in here waits for two things.
            ready, _, _ = select.select([ending, *by_fd], [], [])
            if ending in ready:
                return
            for fd in ready:
                self.accept(by_fd[fd])

    def accept(self, listener: socket.socket) -> None:
        """Accept one client, if it is still there."""
        try:
            sock, (ip, port, *_) = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it left before we came
        except OSError as error:
            self.log(f"cannot accept: {error.strerror}")
            time.sleep(0.2)  # out of descriptors or memory: asking again at once frees none
            return
        sock.setblocking(True)
        with contextlib.suppress(OSError):  # some systems complain when it is gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.admit(sock, format_address(plain_ip(ip), port))

    def admit(self, sock: socket.socket, address: str) -> None:
        """Start the threads of a new client, or turn it away when there are too many (5.10)."""
        session = Session(sock, address, self.serve)
        with self._lock:
            full = len(self._sessions) >= self._max_clients
            if not full:
                self._sessions.add(session)
        if full:
            self.turn_away(sock, f"{self._max_clients} clients are connected")
            return
        try:
            session.start()
        except RuntimeError:  # the system has no more threads for us
            self.forget(session)
            session.outbox.discard()
            self.turn_away(sock, "no more threads")

    def turn_away(self, sock: socket.socket, why: str) -> None:
        """Tell one client too many that it is not served, without waiting for it."""
        self.log(f"a client was turned away: {why}")
        with sock, contextlib.suppress(OSError):
            sock.setblocking(False)
            sock.send(encode({"type": "error", "message": "The server is full, try again later."}))
            sock.shutdown(socket.SHUT_WR)

    def log(self, event: str) -> None:
        """Log one event; one at a time, or the lines of two threads would be mixed."""
        with self._log_lock:
            self._write_log(event)

    def forget(self, session: Session) -> None:
        """Make room for another client (5.C)."""
        with self._lock:
            self._sessions.discard(session)

    def stop(self) -> None:
        """Tell every client that the server goes down, and end every thread (5.11)."""
        self._stopping.set()  # wakes who pauses after a wrong password
        for listener in self._listeners:
            listener.close()
        self.users.clear()  # nobody needs a new list for everyone who leaves now
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.tell({"type": "error", "message": "The server is shutting down. Good-bye!"})
            session.end_requests()
        deadline = time.monotonic() + STOPPING
        for session in sessions:
            if not session.join(max(0.0, deadline - time.monotonic())):
                session.hang_up()
        for session in sessions:
            session.join(1.0)

    # A reading thread: one session from its beginning to its end.

    def serve(self, session: Session) -> None:
        """The reading thread's whole life; it ends with the connection (5.9, 5.10).

        Whatever happens in it happens to this client alone.
        """
        self.log(f"{session} connected")
        why = "disconnected"
        try:
            for request in session.requests():
                self.answer(session, request)
        except Leave as reason:
            why = str(reason)
        except OSError as error:
            why = f"lost: {error.strerror}"
        finally:
            self.log(f"{session} {why}")
            self.users.leave(session)  # before closing: who sees the end knows the list is new
            session.close()
            self.forget(session)

    def answer(self, session: Session, request: Request | JSONStreamError) -> None:
        """Do what is asked for, or say why not; malformed requests are counted (5.12)."""
        try:
            if isinstance(request, JSONStreamError):
                raise Malformed(f"This is not a JSON object of the protocol: {request}.")
            self.handle(session, request)
        except Refused as refusal:
            session.tell({"type": "error", "message": str(refusal)})
            if isinstance(refusal, Malformed):
                self.count_fault(session)

    def handle(self, session: Session, request: Request) -> None:
        """Find the command's method, in any case of letters, and call it (5.12)."""
        command = text_of(request, "command").strip().upper()
        handler = self._commands.get(command)
        if handler is None:
            known = ", ".join(self._commands)
            raise Malformed(f"Unknown command {command[:20]!r}; there are {known}.")
        self.refuse_stranger(session, command)
        handler(session, request)

    def refuse_stranger(self, session: Session, command: str) -> None:
        """Before login, LOGIN and EX are all there is (5.12)."""
        if session.name is None and command not in ("LOGIN", "EX"):
            raise Refused("Please log in first.")

    def count_fault(self, session: Session) -> None:
        """End a session that sends nothing but nonsense."""
        session.faults += 1
        if session.faults >= MAX_FAULTS:
            raise Leave("closed: too many malformed objects")

    # The commands.

    def log_in(self, session: Session, request: Request) -> None:
        """LOGIN: register a new name or check a known one's password (5.2).

        The answer is the list of active users, which goes to everybody (5.3, 5.4).
        """
        if session.name is not None:
            raise Refused(f"You are already logged in as {session.name}.")
        name = text_of(request, "username").strip()
        check_name(name)
        if request.get("password") is None:
            session.tell({"type": "password_required", "username": name})
            return
        self.check_password(session, name, text_of(request, "password"))
        if not self.users.enter(name, session):
            self.refuse_login(session, f"{name} is already logged in.")
        self.log(f"{session} logged in")

    def check_password(self, session: Session, name: str, password: str) -> None:
        """Let the right password pass, and any for a new name (5.2)."""
        if not 1 <= len(password) <= MAX_PASSWORD:
            raise Refused(f"A password has 1 to {MAX_PASSWORD} characters.")
        if "\0" in password:  # scrypt pads with NULs: "secret" and "secret\0" would be the same
            raise Refused("A password holds no NUL.")
        try:
            right = self._accounts.admit(name, password)
        except sqlite3.Error as error:
            self.log(f"accounts: {error}")
            raise Refused("The accounts cannot be read or written now, try again later.") from None
        if not right:
            self.refuse_login(session, f"Wrong password for {name}.")

    def refuse_login(self, session: Session, reason: str) -> None:
        """Refuse, after a pause that grows, and close after MAX_ATTEMPTS (5.2).

        The pause harms nobody else: this thread has no other client to wait for.
        """
        session.attempts += 1
        self.log(f"{session} login refused: {reason}")
        self._stopping.wait(self._pause * session.attempts)
        if session.attempts >= MAX_ATTEMPTS:
            session.tell({"type": "error", "message": f"{reason} Too many attempts, good-bye."})
            raise Leave("closed: too many attempts to log in")
        raise Refused(reason)

    def send_to_all(self, session: Session, request: Request) -> None:
        """PM: deliver to all others, then confirm to the sender (5.5)."""
        message = message_of(request)
        data = encoded({"type": "broadcast", "from": session.name, "message": message})
        others = self.users.others(session)
        for other in others:
            other.deliver(data)
        self.confirm(session, f"Message sent to all others ({len(others)}).")

    def send_to_one(self, session: Session, request: Request) -> None:
        """DM: deliver to one user, then confirm to the sender (5.6)."""
        name = text_of(request, "to", "recipient").strip()
        message = message_of(request)
        if name == session.name:
            raise Refused("This would be a message to yourself.")
        other = self.find_user(name)
        other.deliver(encoded({"type": "direct_message", "from": session.name, "message": message}))
        self.confirm(session, f"Message sent to {name}.")

    def find_user(self, name: str) -> Session:
        """Return an active user's session; Refused tells the asker that there is none (5.7)."""
        other = self.users.find(name)
        if other is None:
            raise Refused(f"There is no user {name[:MAX_NAME]!r} here.")
        return other

    def list_users(self, session: Session, request: Request) -> None:
        """WHO: list exactly the active users, the asker included (5.8)."""
        session.tell({"type": "active_users", "users": self.users.names()})

    def end_session(self, session: Session, request: Request) -> None:
        """EX: the server closes, the others get the new list; also before login (5.9)."""
        raise Leave("left")

    def confirm(self, session: Session, text: str) -> None:
        """Acknowledge to the one who asked (5.5, 5.6)."""
        session.tell({"type": "confirmation", "message": text})


def text_of(request: Request, *keys: str) -> str:
    """Return the text under the first of the keys that is there; raise Malformed if none (5.12)."""
    for key in keys:
        if key in request:
            if isinstance(request[key], str):
                return str(request[key])
            raise Malformed(f'"{key}" must be text.')
    raise Malformed(f'"{keys[0]}" is missing.')


def message_of(request: Request) -> str:
    """Return the message's text, which must not be empty."""
    message = text_of(request, "message")
    if not message.strip():
        raise Refused("The message is empty.")
    return message


def encoded(message: Request) -> bytes:
    """Encode once, however many will get it; a text too long to be forwarded is refused (5.12)."""
    try:
        return encode(message)
    except ValueError as error:
        raise Refused(f"Too long: {error}.") from None


def check_name(name: str) -> None:
    """Refuse a name that is empty, too long, or holds more than letters and digits."""
    if not 1 <= len(name) <= MAX_NAME:
        raise Refused(f"A name has 1 to {MAX_NAME} letters and digits.")
    if not set(name) <= set(string.ascii_letters + string.digits):
        raise Refused("A name holds nothing but letters (without accents) and digits.")
    if name.lower() == "server":
        raise Refused(f"The name {name} is reserved.")


def client_limit(text: str) -> int:
    """Read --max-clients; raises UserError."""
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 1000:
        return int(text)
    raise UserError(f"invalid limit {text!r}: a number from 1 to 1000 is needed", USAGE)


def open_accounts(path: str | None) -> Accounts:
    """Open the accounts' file, or none for accounts in memory; raises UserError."""
    try:
        return Accounts(path)
    except (sqlite3.Error, OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot use {path} for accounts: {why}; choose another file") from None


def argument_parser() -> Parser:
    """Return a parser for `server [--accounts FILE] [--max-clients N] <port>`."""
    parser = server_parser(__doc__.splitlines()[0])
    parser.add_argument("--accounts", metavar="FILE", help="keep the accounts in an SQLite file")
    parser.add_argument(
        "--max-clients",
        metavar="N",
        default=str(MAX_CLIENTS),
        help="connections at once, 1 to 1000 (%(default)s)",
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl-C or SIGTERM, then stop. Raises UserError (5.10, 5.11)."""
    options = argument_parser().parse_args(argv)
    port = parse_port(options.port)
    limit = client_limit(options.max_clients)
    accounts = open_accounts(options.accounts)
    listeners = listen(options.host, port)
    server = ChatServer(listeners, accounts, max_clients=limit, log=Log(quiet=options.quiet))
    ending = catch_end_signals()
    port = listeners[0].getsockname()[1]
    print(invitation(__file__, options.host, port), flush=True)
    server.run(ending)
    server.stop()
    accounts.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main, sys.argv[1:]))
