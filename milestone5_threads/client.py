#!/usr/bin/env python3
"""Milestone 5, client: one thread for input, one for listening (5.10).

- The *input thread* (the main one) asks for name and password, then for operations, and sends.
- The *listening thread* receives and shows. When the server goes down, it says so, and interrupts
  the input thread, which may be waiting at a prompt (5.11).

What the two share: the screen, which has its own lock (terminal.py), and a queue with what the
server sends during login. Everything else belongs to one of them.

Rules of this file:
- The server's objects come from a stranger: any field may be missing or of another type (5.B).
- Servers of others answer in other ways: some refuse by `confirmation`, some have types that we
  do not know. Everything is shown; what counts for a login is a list that holds our name.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

# Run as a script, Python looks for modules beside this file; ours are one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.addresses import connect, parse_port
from common.colours import Look
from common.commandline import client_parser, end_on_signals
from common.completion import completions, guess
from common.errors import FAILURE, exit_status
from common.json_stream import NEED_MORE, Decoder, JSONStreamError, encode
from milestone5_threads.editing_terminal import open_terminal
from milestone5_threads.terminal import Interrupted, Terminal

CONNECT_TIMEOUT: Final = 10.0
"""Seconds given to each of the server's addresses."""
FAREWELL: Final = 3.0
"""Seconds that a server has to close after EX."""
PATIENCE: Final = 2.0
"""Seconds to wait for the list after a confirmation that may have been a refusal."""
CHUNK: Final = 65536
MAX_OBJECT: Final = 1024 * 1024
"""Bytes of one object that we take: servers of others may send longer lists than ours."""
OPERATION: Final = "Operation (PM, DM, WHO, EX, /help): "
HELP: Final = """\
PM         send a message to all others     (PM hello, or step by step)
DM         send a message to one user       (DM bob hello, or step by step)
WHO        list the active users
EX         leave
/help      show this help
Small letters will do, and a / before each of them. An empty line cancels."""

USAGES: Final = ("PM <text>", "DM <user> <text>", "WHO", "EX", "/help")

Message = dict[str, Any]


class EndOfInput(Exception):
    """Nothing more will be typed: EX, Ctrl-D, or the end of a pipe."""


class ChatClient:
    """One session with a server."""

    def __init__(self, sock: socket.socket, terminal: Terminal) -> None:
        self._sock = sock
        self._terminal = terminal
        self._listener = threading.Thread(target=self.listen, name="listen", daemon=True)
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._logging_in = True  # cleared once by the input thread, read by the other
        self._leaving = False  # set once by the input thread, read by the other
        self._operations: dict[str, Callable[[str], None]] = {
            "PM": self.send_to_all,
            "DM": self.send_to_one,
            "WHO": self.ask_who,
            "HELP": self.show_help,
        }
        self._seen: frozenset[str] = frozenset()  # users; set by the listening thread, for Tab
        terminal.complete = lambda start: completions(start, USAGES, {"user": self._seen})

    # The input thread.

    def run(self) -> bool:
        """Run the session; say whether it ended because we wanted it to (5.11)."""
        self._listener.start()
        try:
            self.log_in()
            self.read_operations()
        except EndOfInput:
            self.leave()
        except (Interrupted, OSError):
            pass  # the server is gone: the listening thread says so
        except KeyboardInterrupt:
            self._leaving = True
        finally:
            self.close()
        return self._leaving

    def log_in(self) -> None:
        """Ask for name and password until the server accepts them (5.2)."""
        self._terminal.show("Log in; a new name is registered with the password you choose.")
        while True:
            name = self.ask("User name (EX leaves): ").strip()
            if name.upper() == "EX":
                raise EndOfInput
            if not name:
                continue
            password = self.ask("Password: ", hidden=True)
            if self.try_login(name, password):
                break
        self._logging_in = False
        self._terminal.show(f"You are logged in as {name}.")

    def try_login(self, name: str, password: str) -> bool:
        """Send one login; say whether the server accepted it (5.2)."""
        if not self.send({"command": "login", "username": name, "password": password}):
            return False
        patience = None
        while True:
            try:
                answer = self._answers.get(timeout=patience)
            except queue.Empty:
                return False  # it was a refusal
            if answer is None:
                raise Interrupted
            kind = answer.get("type")
            if name in users_of(answer):
                return True
            if kind == "error":
                return False
            if kind == "password_required":
                return self.try_login(name, self.ask("Password, please: ", hidden=True))
            if kind == "confirmation":
                patience = PATIENCE

    def read_operations(self) -> None:
        """Ask for operations in any case of letters, until EX, which raises EndOfInput."""
        while True:
            word, _, rest = self.ask(OPERATION).strip().partition(" ")
            operation = word.removeprefix("/").upper()
            if operation == "EX":
                raise EndOfInput
            if operation in self._operations:
                self._operations[operation](rest.strip())
            elif word:
                meant = guess(operation, self._operations)
                self._terminal.show(
                    f"There is no operation {word[:20]}. /help lists them.{meant}", Look.ERROR
                )

    def send_to_all(self, rest: str) -> None:
        """PM: to all others (5.5)."""
        message = rest or self.ask("Message: ")
        if message.strip():
            self.send({"command": "PM", "message": message})

    def send_to_one(self, rest: str) -> None:
        """DM: to one user (5.6)."""
        name, _, message = rest.partition(" ")
        name = name or self.ask("Recipient: ").strip()
        if not name:
            return
        message = message.strip() or self.ask("Message: ")
        if message.strip():
            self.send({"command": "DM", "to": name, "message": message})

    def ask_who(self, rest: str) -> None:
        """WHO: the listening thread shows the answer (5.8)."""
        self.send({"command": "WHO"})

    def show_help(self, rest: str) -> None:
        """/help: show the operations."""
        for line in HELP.splitlines():
            self._terminal.show(line)

    def leave(self) -> None:
        """EX: tell the server and wait until it has closed (5.9)."""
        self._leaving = True
        with contextlib.suppress(OSError):
            self._sock.sendall(encode({"command": "EX"}))
        self._listener.join(FAREWELL)
        self._terminal.show("Good-bye.")

    def close(self) -> None:
        """End the connection, and with it the listening thread (5.10)."""
        # Closing alone would not wake a thread that waits in recv; shutdown does.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        self._sock.close()

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Return the next line typed. Raises EndOfInput, and Interrupted if the server is gone."""
        line = self._terminal.ask(prompt, hidden=hidden)
        if line is None:
            raise EndOfInput
        return line

    def send(self, message: Message) -> bool:
        """Send one object; say False where it is too long. Raises OSError."""
        try:
            data = encode(message)
        except ValueError as error:
            self._terminal.show(f"Not sent: {error}.", Look.ERROR)
            return False
        self._sock.sendall(data)
        return True

    # The listening thread.

    def listen(self) -> None:
        """The listening thread's whole life: it ends with the connection (5.10, 5.11)."""
        try:
            for message in self.received():
                self.show(message)
                if self._logging_in:
                    self._answers.put(message)
        except OSError:
            pass  # a reset is an end like any other
        if not self._leaving:
            self._terminal.show("The server has closed the connection.", Look.ERROR)
        self._answers.put(None)
        self._terminal.interrupt()

    def received(self) -> Iterator[Message]:
        """Yield what the server sends, until it closes (5.1). Raises OSError."""
        decoder = Decoder(MAX_OBJECT)
        while data := self._sock.recv(CHUNK):
            decoder.receive_data(data)
            while True:
                try:
                    message = decoder.next_value()
                except JSONStreamError as error:
                    self._terminal.show(f"(The server sent something unreadable: {error}.)")
                    continue
                if message is NEED_MORE:
                    break
                assert isinstance(message, dict)
                yield message

    def show(self, message: Message) -> None:
        """Show what the server says (5.3 to 5.8)."""
        kind, text = message.get("type"), text_in(message)
        if kind == "broadcast":
            self._terminal.show(f"[{sender_of(message)} to all] {text}")
        elif kind == "direct_message":
            self._terminal.show(f"[{sender_of(message)} to you] {text}")
        elif kind == "error":
            self._terminal.show(f"Error: {text}", Look.ERROR)
        elif "users" in message:
            self._seen |= frozenset(users_of(message))
            self._terminal.show("Active users: " + ", ".join(users_of(message)), Look.NOTICE)
        elif text:
            self._terminal.show(text, Look.NOTICE)
        elif kind != "password_required":
            self._terminal.show(json.dumps(message, ensure_ascii=False))


def users_of(message: Message) -> list[str]:
    """Return the names in a list of users, and none where it is not a list."""
    users = message.get("users")
    return [str(user) for user in users] if isinstance(users, list) else []


def text_in(message: Message) -> str:
    """Return the message's text, "" if it has none."""
    return str(message.get("message", ""))


def sender_of(message: Message) -> str:
    """Return who the server says the sender is."""
    return str(message.get("from", "?"))


def main(argv: Sequence[str]) -> int:
    """Run the client; 0 if the user ended it, 1 if the server did. Raises UserError (5.11)."""
    parser = client_parser(__doc__.splitlines()[0])
    parser.add_argument("--timestamps", action="store_true", help="show when each line came")
    options = parser.parse_args(argv)
    port = parse_port(options.port)
    sock = connect(options.host, port, CONNECT_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end_on_signals()
    return 0 if ChatClient(sock, open_terminal(timestamps=options.timestamps)).run() else FAILURE


if __name__ == "__main__":
    sys.exit(exit_status(main, sys.argv[1:]))
