"""Wrong programs of milestone 4. What they derive from is milestone4_p2p/, on common/."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from common.addresses import listen
from common.connection import Connection
from common.errors import UserError
from common.framing import Header, Message, MessageType, ProtocolError, encode
from common.poller import make_poller
from milestone4_p2p.exchange import FileExchange, Question, open_file
from milestone4_p2p.inbox import IncomingFile, safe_name
from milestone4_p2p.server import ChatServer
from milestone4_p2p.transfer import Receiving, Sending
from milestone4_p2p.users import User, clean_name
from tests.mutants.registry import add, mutant
from tests.mutants.restless import restless


def changed(path: str, change: Callable[[bytes], bytes]) -> tuple[str, int]:
    """No mutant: a file to be sent, its content changed."""
    name, file = open_file(path)
    with open(file, "rb") as original:
        content = change(original.read())
    copy = os.memfd_create("changed")
    with open(copy, "wb", closefd=False) as target:
        target.write(content)
    return name, copy


# 4.1: the bytes


@mutant("4.1", "client", instead_of=open_file)
def stops_at_a_zero_byte(path: str) -> tuple[str, int]:
    """The file is read into a string: it ends at the first zero byte."""
    return changed(path, lambda content: content.split(b"\0")[0])


@mutant("4.1", "client", instead_of=open_file)
def sends_one_buffer(path: str) -> tuple[str, int]:
    """One fread() into a buffer of 4,096 bytes, and that is what is sent."""
    return changed(path, lambda content: content[:4096])


@mutant("4.1", "client", instead_of=open_file)
def sends_lines_of_text(path: str) -> tuple[str, int]:
    """The file is read line by line, as text."""
    return changed(path, lambda content: content.decode("ascii", "ignore").strip().encode() + b"\n")


@mutant("4.1", "client")
class WaitsForBytesOfAnEmptyFile(Receiving):
    """An empty file is never complete."""

    def _choose(self, fd: int, header: Header) -> None:
        super()._choose(fd, header) if header.pld_len else None


@mutant("4.1", "client")
class LosesWhatOneWriteLeft(IncomingFile):
    """write() is given at most 1 KiB of what one recv() brought."""

    def write(self, data: memoryview) -> None:
        """Write what fits the buffer."""
        super().write(data[:1024])


@mutant("4.1", "server")
class ForwardsNoAddress(ChatServer):
    """The yes is passed on without the receiver's address."""

    def forward_answer(self, user: User, message: Message) -> None:
        """Forget the payload."""
        empty = message.type == MessageType.FILE_ACCEPT
        super().forward_answer(user, message._replace(payload=b"") if empty else message)


@mutant("4.1", "client", instead_of=open_file, shown_by="a_file_in_a_directory")
def looks_for_the_base_name(path: str) -> tuple[str, int]:
    """Of the path that was typed only the last part is looked for."""
    return open_file(os.path.basename(path))


@mutant("4.1", "client", shown_by="a_second_file_goes_over_too")
class SendsOneFileASession(FileExchange):
    """A flag says that a file is under way, and is never put back."""

    def offer(self, peer: str, path: str) -> None:
        """Refuse the second file."""
        if self.__dict__.setdefault("busy", False):
            self.show("a transfer is in progress already")
            return
        super().offer(peer, path)
        self.__dict__["busy"] = bool(self.offers)


@mutant("4.1", "client", shown_by="a_second_file_goes_over_too")
class SendsNothingAfterANo(FileExchange):
    """After a refusal, the flag that a file is under way is not put back."""

    refused = False

    def offer(self, peer: str, path: str) -> None:
        """Refuse to ask again."""
        if self.refused:
            self.show("a transfer is in progress already")
        else:
            super().offer(peer, path)

    def lose_offer(self, peer: str, reason: str) -> bool:
        """Remember the no."""
        self.refused = super().lose_offer(peer, reason) or self.refused
        return self.refused


# 4.2: asking


@mutant("4.2", "client")
class TakesFilesWithoutAsking(FileExchange):
    """A file that somebody offers is taken at once."""

    def asked(self, message: Message) -> None:
        """Say yes in the user's name."""
        super().asked(message)
        self.answer("y")


@mutant("4.2", "client")
class AsksWithoutTheFilesName(FileExchange):
    """The question does not say which file."""

    def ask_next(self) -> None:
        """Name the sender alone."""
        if self.questions:
            self.show(f"{self.questions[0].peer} wants to send you a file [Y/N]")


@mutant("4.2", "client")
class AsksWithoutTheSendersName(FileExchange):
    """The question does not say who sends the file."""

    def ask_next(self) -> None:
        """Name the file alone."""
        if self.questions:
            self.show(f"Do you accept the file {self.questions[0].name}? [Y/N]")


@mutant("4.2", "client")
class TakesAllButANoForAYes(FileExchange):
    """Whatever does not begin with an N is a yes."""

    def answer(self, line: str) -> None:
        """Look for one letter."""
        super().answer("n" if line.strip().lower().startswith("n") else "y")


@mutant("4.2", "server")
class AsksEverybody(ChatServer):
    """A request goes to all users."""

    def forward_request(self, user: User, message: Message) -> None:
        """Send it to the others, too."""
        super().forward_request(user, message)
        name = clean_name(message.infos)
        others = [one for one in self.users.everybody() if one is not user and one.name != name]
        if self.users.find(name) is not None:
            self.deliver(Message(message.type, user.name, "", message.payload), others)


# 4.3: straight from one to the other


@mutant("4.3", "client")
class SendsThroughTheServer(FileExchange):
    """The file goes through the server, too, piece by piece."""

    def accepted(self, message: Message) -> None:
        """Send a mebibyte of it to the server, then all of it to the receiver."""
        offer = self.find_offer(message.nick_sender.strip())
        if offer is not None:
            content = os.pread(offer.file, 1 << 20, 0)
            for start in range(0, len(content), 60_000):
                piece = Message(MessageType.FILE_SEND, "", "", content[start : start + 60_000])
                self.chat.server.queue(encode(piece))
        super().accepted(message)


# 4.4: no


@mutant("4.4", "client")
class SaysNothingOfANo(FileExchange):
    """The sender is not told that the receiver does not want the file."""

    def lose_offer(self, peer: str, reason: str) -> bool:
        """Forget the offer without a word."""
        offer = self.find_offer(peer)
        if offer is not None:
            self.drop_offer(offer)
        return offer is not None


@mutant("4.4", "client")
class TakesNoForYes(FileExchange):
    """After a no the file is sent all the same."""

    def reject(self, question: Question) -> None:
        """Accept it."""
        self.accept(question)


@mutant("4.4", "server")
class ForwardsNoRefusal(ChatServer):
    """A no is not passed on."""

    def forward_answer(self, user: User, message: Message) -> None:
        """Pass a yes on."""
        if message.type == MessageType.FILE_ACCEPT:
            super().forward_answer(user, message)


# 4.5: how it ended


@mutant("4.5", "client")
class TellsTheSenderNothing(FileExchange):
    """The sender is not told how it ended."""

    def sent(self, sending: Sending, reason: str | None) -> None:
        """Say nothing."""


@mutant("4.5", "client")
class TellsTheReceiverNothing(FileExchange):
    """The receiver is not told how it ended."""

    def received(self, receiving: Receiving, reason: str | None) -> None:
        """Say nothing."""


@mutant("4.5", "client", shown_by="the_receiver_is_told_when_the_sender_is_lost")
class KeepsHalfFiles(IncomingFile):
    """The bytes go straight to the final name, and stay there when the transfer breaks."""

    def __init__(self, folder: Path, wish: str) -> None:
        super().__init__(folder, wish)
        final = folder / self.name
        with contextlib.suppress(FileExistsError):
            os.link(self._temporary, final)
            self._temporary.unlink()
            self._temporary = final

    def save(self) -> Path:
        """It is there already."""
        self._close()
        return self._temporary

    def discard(self) -> None:
        """Leave it where it is."""
        self._close()


@mutant("4.5", "client", shown_by="the_receiver_is_told_when_the_sender_is_lost")
class TakesTheEndForSuccess(Receiving):
    """Whatever came before the connection ended is taken for the file."""

    def fail(self, reason: str) -> None:
        """Save what there is."""
        if self._sock is not None and self._file is not None and not self.over:
            self._save()
        else:
            super().fail(reason)


# 4.6: an unknown receiver


@mutant("4.6", "server")
class SaysNothingOfUnknownReceivers(ChatServer):
    """A request to nobody is dropped without a word."""

    def forward_request(self, user: User, message: Message) -> None:
        """Go on only with a receiver."""
        if self.users.find(clean_name(message.infos)) is not None:
            super().forward_request(user, message)


@mutant("4.6", "server")
class AsksAllInsteadOfNobody(ChatServer):
    """A request to nobody goes to everybody."""

    def forward_request(self, user: User, message: Message) -> None:
        """Without a receiver, take all."""
        super().forward_request(user, message)
        if self.users.find(clean_name(message.infos)) is None:
            others = [one for one in self.users.everybody() if one is not user]
            self.deliver(Message(message.type, user.name, "", message.payload), others)


# 4.7: a file that cannot be sent


@mutant("4.7", "client", instead_of=open_file)
def asks_before_it_looks(path: str) -> tuple[str, int]:
    """The receiver is asked before anybody looks whether the file is there."""
    try:
        return open_file(path)
    except UserError:
        return os.path.basename(path), os.memfd_create("nothing")


@mutant("4.7", "client")
class SaysNothingOfMissingFiles(FileExchange):
    """A file that is not there is not reported."""

    def offer(self, peer: str, path: str) -> None:
        """Go on only with a file."""
        if os.path.isfile(path.strip("'\" ")):
            super().offer(peer, path)


@mutant("4.7", "client", instead_of=open_file)
def sends_directories(path: str) -> tuple[str, int]:
    """A directory is taken for a file: fopen() opens it, too."""
    if os.path.isdir(path):
        return os.path.basename(path), os.memfd_create("nothing")
    return open_file(path)


# 4.A to 4.C


@mutant("4.A", "server", instead_of=listen)
def listens_on_ipv4_only(host: str | None, port: int) -> list[socket.socket]:
    """The server has an IPv4 socket only."""
    return listen("0.0.0.0", port)


@mutant(
    "4.B",
    "client",
    instead_of=safe_name,
    shown_by="no_file_is_written_outside_the_receivers_directory",
)
def saves_wherever_it_is_told(wish: str) -> str:
    """The name of a received file may be a path."""
    return wish


@mutant("4.B", "server")
class CrashesOnWhatIsNoFrame(ChatServer):
    """A length or a type that cannot be ends the server."""

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """Let the exception go on."""
        raise error


add(
    "4.C",
    "server",
    "asks-without-rest",
    "poll() is called with a timeout of 0: a busy loop.",
    make_poller,
    restless,
    shown_by="an_idle_server_uses_no_cpu",
)
