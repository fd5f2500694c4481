"""Wrong programs of milestone 5. What they derive from is milestone5_threads/."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from common.addresses import listen
from common.json_stream import Decoder, JSONStreamError, encode
from milestone5_threads.accounts import Accounts, PasswordHash
from milestone5_threads.client import CHUNK, ChatClient, Message, users_of
from milestone5_threads.outbox import Outbox
from milestone5_threads.server import ChatServer, Refused, Request, message_of, text_of
from milestone5_threads.sessions import Session, Users
from tests.mutants.registry import mutant

leaked: list[object] = []

# 5.1: JSON objects


def as_one_object(data: bytes) -> Any:
    """No mutant: `data` taken for one object, or JSONStreamError."""
    decoder = Decoder()
    decoder.receive_data(data)
    return decoder.next_value()


@mutant("5.1", "server")
class TakesOneRecvForOneObject(Session):
    """What one recv() brings is taken for one whole object."""

    def requests(self) -> Iterator[dict[str, Any] | JSONStreamError]:
        """json.loads() of whatever came."""
        while data := self._sock.recv(CHUNK):
            try:
                value = as_one_object(data)
            except JSONStreamError as error:
                value = error
            if isinstance(value, (dict, JSONStreamError)):
                yield value


@mutant("5.1", "server")
class NeedsANewline(Session):
    """Objects are taken for lines: without a newline behind it, one is never read."""

    def requests(self) -> Iterator[dict[str, Any] | JSONStreamError]:
        """Read lines."""
        rest = b""
        while data := self._sock.recv(CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                try:
                    value = as_one_object(line)
                except JSONStreamError as error:
                    value = error
                if isinstance(value, (dict, JSONStreamError)):
                    yield value


@mutant("5.1", "client", shown_by="the_own_programs_byte_by_byte")
class ClientTakesOneRecvForOneObject(ChatClient):
    """The client takes what one recv() brings for one whole object."""

    def received(self) -> Iterator[Message]:
        """json.loads() of whatever came."""
        while data := self._sock.recv(CHUNK):
            try:
                value = as_one_object(data)
            except JSONStreamError:
                continue
            if isinstance(value, dict):
                yield value


# 5.2: names and passwords


@mutant("5.2", "server")
class TakesAnyPassword(Accounts):
    """A known name gets in with any password."""

    def matches(self, stored: PasswordHash, password: str) -> bool:
        """Compare nothing."""
        return True


@mutant("5.2", "server")
class KnowsNobodyAgain(Accounts):
    """Who was registered cannot log in again."""

    def matches(self, stored: PasswordHash, password: str) -> bool:
        """Compare with another salt's hash."""
        return False


@mutant("5.2", "server", shown_by="no_password_is_kept_in_clear")
class LogsPasswords(ChatServer):
    """What comes is logged, passwords and all."""

    def handle(self, session: Session, request: Request) -> None:
        """Print it, for debugging."""
        self.log(f"{session}: {request}")
        super().handle(session, request)


@mutant("5.2", "server")
class LetsTwoHaveOneName(Users):
    """A name that is logged in is granted once more."""

    def enter(self, name: str, session: Session) -> bool:
        """Overwrite who has it."""
        with self._lock:
            session.name = name
            self._sessions[name] = session
            self._announce()
            return True


@mutant("5.2", "server")
class RefusesLoginsSilently(ChatServer):
    """A wrong password is not answered."""

    def log_in(self, session: Session, request: Request) -> None:
        """Go on only with the right one."""
        if self._accounts.admit(text_of(request, "username"), text_of(request, "password")):
            super().log_in(session, request)


@mutant("5.2", "server")
class ClosesAfterOneWrongPassword(ChatServer):
    """After a refusal neither this connection nor another can log in under that name."""

    locked: set[str] = set()  # noqa: RUF012

    def check_password(self, session: Session, name: str, password: str) -> None:
        """Lock the account at the first mistake."""
        if name in self.locked or not self._accounts.admit(name, password):
            self.locked.add(name)
            raise Refused("wrong password")


# 5.3, 5.4, 5.8: lists


@mutant("5.3", "client")
class ShowsNoListAfterLogin(ChatClient):
    """The list that comes with the login is not shown."""

    def show(self, message: Message) -> None:
        """Wait until somebody asks for it."""
        if not (self._logging_in and users_of(message)):
            super().show(message)


@mutant("5.4", "server")
class AnnouncesNoLogins(Users):
    """The others are not told who logs in."""

    def enter(self, name: str, session: Session) -> bool:
        """Send the list to the one who came."""
        with self._lock:
            if name in self._sessions:
                return False
            session.name = name
            self._sessions[name] = session
            session.tell({"type": "update_users", "users": sorted(self._sessions)})
            return True


@mutant("5.4", "server")
class AnnouncesNoLogouts(Users):
    """The others are not told who leaves."""

    def leave(self, session: Session) -> None:
        """Forget the user without a word."""
        with self._lock:
            if session.name is not None and self._sessions.get(session.name) is session:
                del self._sessions[session.name]


@mutant("5.4", "client")
class ShowsNoUpdates(ChatClient):
    """New lists are shown during the login only."""

    def show(self, message: Message) -> None:
        """Skip them afterwards."""
        if message.get("type") != "update_users" or self._logging_in:
            super().show(message)


@mutant("5.8", "server")
class ListsTheOthers(ChatServer):
    """WHO lists all but the asker."""

    def list_users(self, session: Session, request: Request) -> None:
        """Leave the asker out."""
        names = [name for name in self.users.names() if name != session.name]
        session.tell({"type": "active_users", "users": names})


@mutant("5.8", "server")
class ListsWhoWasEverHere(ChatServer):
    """WHO lists who has left, too."""

    ever: set[str] = set()  # noqa: RUF012

    def log_in(self, session: Session, request: Request) -> None:
        """Write the name down."""
        super().log_in(session, request)
        if session.name:
            self.ever.add(session.name)

    def list_users(self, session: Session, request: Request) -> None:
        """List all of them."""
        session.tell({"type": "active_users", "users": sorted(self.ever)})


@mutant("5.8", "client")
class DoesNotShowTheAnswer(ChatClient):
    """WHO is asked, and its answer not shown."""

    def show(self, message: Message) -> None:
        """Skip it."""
        if message.get("type") != "active_users":
            super().show(message)


# 5.5 to 5.7: messages


@mutant("5.5", "server")
class ConfirmsNoPublicMessages(ChatServer):
    """PM is not acknowledged."""

    def send_to_all(self, session: Session, request: Request) -> None:
        """Deliver without a word."""
        message = message_of(request)
        data = encode({"type": "broadcast", "from": session.name, "message": message})
        for other in self.users.others(session):
            other.deliver(data)


@mutant("5.5", "server")
class MissesOneOfThem(Users):
    """PM does not reach the last of the others."""

    def others(self, session: Session) -> list[Session]:
        """End one too early."""
        return super().others(session)[:-1]


@mutant("5.5", "server")
class SendsWithoutAName(ChatServer):
    """PM does not say who sent it."""

    def send_to_all(self, session: Session, request: Request) -> None:
        """Forget the name."""
        data = encode({"type": "broadcast", "message": message_of(request)})
        for other in self.users.others(session):
            other.deliver(data)
        self.confirm(session, "Message sent.")


@mutant("5.6", "server")
class WhispersToEverybody(ChatServer):
    """DM reaches all others."""

    def send_to_one(self, session: Session, request: Request) -> None:
        """Send it to everybody, then confirm."""
        self.find_user(text_of(request, "to", "recipient"))
        text = message_of(request)
        data = encode({"type": "direct_message", "from": session.name, "message": text})
        for other in self.users.others(session):
            other.deliver(data)
        self.confirm(session, "Message sent.")


@mutant("5.6", "server")
class ConfirmsNoPrivateMessages(ChatServer):
    """DM is not confirmed."""

    def send_to_one(self, session: Session, request: Request) -> None:
        """Deliver without a word."""
        other = self.find_user(text_of(request, "to", "recipient"))
        text = message_of(request)
        other.deliver(encode({"type": "direct_message", "from": session.name, "message": text}))


@mutant("5.7", "server")
class ConfirmsWhatReachesNobody(ChatServer):
    """DM to nobody is confirmed like any other."""

    def send_to_one(self, session: Session, request: Request) -> None:
        """Do not look whether there is a receiver."""
        if self.users.find(text_of(request, "to", "recipient")) is not None:
            super().send_to_one(session, request)
        else:
            self.confirm(session, f"Message sent to {text_of(request, 'to', 'recipient')}.")


@mutant("5.7", "server")
class SendsToAllWhatIsForNobody(ChatServer):
    """DM to nobody reaches everybody."""

    def find_user(self, name: str) -> Session:
        """Take all instead, and say that there is nobody."""
        other = self.users.find(name)
        if other is None:
            raise _ForNobody(name)
        return other

    def send_to_one(self, session: Session, request: Request) -> None:
        """Catch what has no receiver."""
        try:
            super().send_to_one(session, request)
        except _ForNobody:
            self.send_to_all(session, request)
            raise Refused("there is no such user") from None


class _ForNobody(Refused):
    """No mutant: there is no such user."""


@mutant("5.7", "server")
class SaysNothingOfStrangers(ChatServer):
    """DM to nobody is not answered."""

    def send_to_one(self, session: Session, request: Request) -> None:
        """Go on only with a receiver."""
        if self.users.find(text_of(request, "to", "recipient")) is not None:
            super().send_to_one(session, request)


# 5.9: leaving


@mutant("5.9", "server")
class IgnoresEX(ChatServer):
    """EX has no effect: the server waits until the client closes."""

    def end_session(self, session: Session, request: Request) -> None:
        """Do nothing."""


# 5.10, 5.11: threads


@mutant("5.10", "server")
class NeverEndsItsThreads(ChatServer):
    """The thread of a client that has left goes on."""

    def forget(self, session: Session) -> None:
        """Wait for whatever."""
        super().forget(session)
        threading.Event().wait()


@mutant("5.10", "server", also=("5.B",))
class ServesAllInOneThread(ChatServer):
    """One thread serves everybody, so that all wait for one who does not read."""

    def admit(self, sock: socket.socket, address: str) -> None:
        """Read from all who are here whenever somebody has sent."""
        sessions.append((sock, Session(sock, address, self.serve)))
        sessions[-1][1].outbox = _Direct(sock)
        if len(sessions) == 1:
            threading.Thread(target=self.serve_all, daemon=True).start()

    def serve_all(self) -> None:
        """A loop around poll()."""
        while True:
            poll = select.poll()
            for sock, _ in sessions:
                poll.register(sock, select.POLLIN)
            ready = dict(poll.poll(50))
            for sock, session in list(sessions):
                if sock.fileno() in ready and not self.serve_once(sock, session):
                    sessions.remove((sock, session))
                    self.users.leave(session)
                    sock.close()

    def serve_once(self, sock: socket.socket, session: Session) -> bool:
        """Read once; say whether the client stays."""
        try:
            data = sock.recv(CHUNK)
            session._decoder.receive_data(data)
            while isinstance(value := session._decoder.next_value(), dict):
                self.answer(session, value)
        except Exception:
            return False
        return bool(data)


sessions: list[tuple[socket.socket, Session]] = []


class _Direct(Outbox):
    """No mutant: an outbox that sends at once."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock

    def put(self, data: bytes) -> bool:
        """Send it."""
        try:
            self._sock.sendall(data)
        except OSError:
            return True
        return True


# Who does not listen shows no list, no PM and no DM to who types nothing.
@mutant("5.10", "client", also=("5.4", "5.5", "5.6"))
class ListensWhenItHasSent(ChatClient):
    """The client has one thread: it shows what came when it has sent something."""

    def show(self, message: Message) -> None:
        """Keep it for later."""
        if self._logging_in:
            super().show(message)
        else:
            leaked.append(message)

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Show what came, then ask."""
        deadline = time.monotonic() + 0.3
        while not self._logging_in and time.monotonic() < deadline:
            time.sleep(0.02)
        for message in leaked:
            assert isinstance(message, dict)
            super().show(message)
        leaked.clear()
        return super().ask(prompt, hidden=hidden)


@mutant("5.11", "client")
class WaitsForALostServer(ChatClient):
    """When the server has gone the client does not notice."""

    def listen(self) -> None:
        """End the listening thread, and nothing else."""
        for message in self.received():
            self.show(message)
            if self._logging_in:
                self._answers.put(message)

    def send(self, message: Message) -> bool:
        """Take no notice of errors."""
        try:
            return super().send(message)
        except OSError:
            return True


@mutant("5.11", "client")
class EndsWithATraceback(ChatClient):
    """When the server has gone the client ends in a traceback."""

    def listen(self) -> None:
        """Take the end for a message."""
        super().listen()
        if not self._leaving:
            sys.stderr.write("Traceback (most recent call last):\nOSError: [Errno 107]\n")
            sys.stderr.flush()
            os._exit(1)


# 5.12: input


@mutant("5.12", "server")
class ServesStrangers(ChatServer):
    """Messages are accepted before the login."""

    def refuse_stranger(self, session: Session, command: str) -> None:
        """Refuse nobody."""


@mutant("5.12", "server")
class EndsOnMalformedInput(ChatServer):
    """What is no JSON object ends the server."""

    def answer(self, session: Session, request: Request | JSONStreamError) -> None:
        """Let no exception pass."""
        if isinstance(request, JSONStreamError):
            os._exit(1)
        super().answer(session, request)


@mutant("5.12", "server", shown_by="malformed_input_harms_nobody_else")
class EndsOnAMissingKey(ChatServer):
    """request["command"] of an object that has none ends the server."""

    def handle(self, session: Session, request: Request) -> None:
        """Look no key up."""
        if "command" not in request:
            os._exit(1)
        super().handle(session, request)


@mutant("5.12", "server")
class HasABufferOf512Bytes(ChatServer):
    """A longer message is refused."""

    def send_to_all(self, session: Session, request: Request) -> None:
        """Take what fits."""
        if len(message_of(request)) > 512:
            raise Refused("too long")
        super().send_to_all(session, request)

    def send_to_one(self, session: Session, request: Request) -> None:
        """Take what fits."""
        if len(message_of(request)) > 512:
            raise Refused("too long")
        super().send_to_one(session, request)


# 5.A to 5.C


@mutant("5.A", "server", instead_of=listen)
def listens_on_ipv4_only(host: str | None, port: int) -> list[socket.socket]:
    """The server has an IPv4 socket only."""
    return listen("0.0.0.0", port)


@mutant("5.B", "server", shown_by="a_reader_that_never_reads_harms_nobody_else")
class SendsFromTheSendersThread(Outbox):
    """A full outbox is waited for: who does not read holds up who writes to them."""

    def __init__(self) -> None:
        super().__init__(max_bytes=64 * 1024)

    def put(self, data: bytes) -> bool:
        """Wait until there is room."""
        while not super().put(data):
            time.sleep(0.05)
        return True


@mutant("5.B", "client", shown_by="a_bad_server_does_not_crash_the_client")
class ClientEndsOnMalformedInput(ChatClient):
    """What is no JSON object ends the client in a traceback."""

    def received(self) -> Iterator[Message]:
        """Let the exception pass."""
        decoder = Decoder()
        while data := self._sock.recv(CHUNK):
            decoder.receive_data(data)
            while isinstance(message := decoder.next_value(), dict):
                yield message


@mutant("5.C", "server", shown_by="an_idle_server_uses_no_cpu")
class AsksWithoutRest(ChatServer):
    """The accepting thread asks again and again instead of waiting."""

    def run(self, ending: int) -> None:
        """Poll with a timeout of 0."""
        poll = select.poll()
        by_fd = {listener.fileno(): listener for listener in self._listeners}
        for fd in (ending, *by_fd):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll(0):
                if fd == ending:
                    return
                self.accept(by_fd[fd])


@mutant("5.C", "server", shown_by="descriptors_return_to_the_baseline")
class DoesNotCloseTheSocket(ChatServer):
    """Whoever has left is forgotten, but a descriptor stays open."""

    def forget(self, session: Session) -> None:
        """Keep a file for each of them."""
        super().forget(session)
        leaked.append(open(os.devnull))  # noqa: SIM115


@mutant("5.C", "server", shown_by="memory_returns_to_the_baseline")
class KeepsABufferPerClient(ChatServer):
    """Every client gets a buffer that nobody frees."""

    def forget(self, session: Session) -> None:
        """Allocate, and touch every page."""
        leaked.append(bytearray(os.urandom(1024)) * 64)
        super().forget(session)
