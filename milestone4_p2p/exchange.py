"""Files offered, asked for and on their way: the client's share of milestone 4.

    /send bob file --> Offer --- FILE_REQUEST ---> Question --> "Do you accept? [Y/N]"
                         |                            |
                      Sending <--- FILE_ACCEPT --- Receiving        (or FILE_REJECT: both forget)

Offers and questions wait for a human, up to a limit; sendings and receivings are transfers.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from common import addresses
from common.colours import Look
from common.connection import Connection
from common.console import Console
from common.errors import UserError
from common.framing import INFOS_LEN, MAX_LENGTH, Message, MessageType
from milestone4_p2p.transfer import STALL, Loop, Receiving, Sending, Transfer, describe

INBOX: Final = Path("inbox")
"""Where received files go, below the working directory."""
REQUEST_TIMEOUT: Final = 120.0
"""Seconds until an unanswered request lapses."""
GRACE: Final = 5.0
"""Seconds longer that the asker waits: the one who was asked tells that it lapsed."""
MOST_QUESTIONS: Final = 16
"""Most requests that wait in line; further ones are refused."""
REFRESH: Final = 0.25
"""Seconds between two looks of the line of progress."""
BAR_WIDTH: Final = 16
"""Columns of a progress bar."""


class Chat(Loop, Protocol):
    """What an exchange needs of its client."""

    console: Console
    server: Connection
    server_is_clear: bool

    def own_name(self) -> str: ...
    def request(self, kind: MessageType, infos: str = "", text: str = "") -> bool: ...


@dataclass
class Offer:
    """A file that we want to send; the other side has not answered yet."""

    peer: str
    own_name: str  # under which we asked, whatever we are called later
    name: str
    file: int  # open, so that the file that is sent is the one that was offered
    deadline: float
    confirmed: bool = False  # the server has passed it on


@dataclass
class Question:
    """A file that somebody wants to send us; our user has not answered yet."""

    peer: str
    asked_as: str  # the name under which they asked, whatever they are called now
    name: str
    deadline: float


class FileExchange:
    """All offers, questions and transfers of one client."""

    def __init__(
        self,
        chat: Chat,
        *,
        request_timeout: float = REQUEST_TIMEOUT,
        stall: float = STALL,
        inbox: Path = INBOX,
    ) -> None:
        self.chat = chat
        self.request_timeout = request_timeout
        self.stall = stall
        self.inbox = inbox
        self.offers: list[Offer] = []
        self.questions: list[Question] = []
        self.transfers: list[Transfer] = []
        self.refresh_at = 0.0

    # The sender's side

    def offer(self, peer: str, path: str) -> None:
        """Ask `peer` to take a file, if it can be sent at all (4.1, 4.7)."""
        try:
            name, file = open_file(unquote(path))
        except UserError as error:
            self.show(str(error), Look.ERROR)
            return
        own_name = self.chat.own_name()
        if self.chat.request(MessageType.FILE_REQUEST, peer, name):
            deadline = time.monotonic() + self.request_timeout + GRACE
            self.offers.append(Offer(peer, own_name, name, file, deadline))
        else:
            os.close(file)

    def confirmed(self, message: Message) -> None:
        """The server has passed our oldest new offer on, or refused it."""
        offer = next((offer for offer in self.offers if not offer.confirmed), None)
        if offer is None:
            return
        if message.infos:
            offer.confirmed = True
        else:
            self.drop_offer(offer)

    def accepted(self, message: Message) -> None:
        """The receiver said yes, and where it listens: connect and send (4.3)."""
        peer = message.nick_sender.strip()
        offer = self.find_offer(peer)
        if offer is None:
            return
        self.offers.remove(offer)
        self.show(f"{peer} accepted file transfer.")
        self.show(f"Connecting to {peer} and sending the file...")
        sending = Sending(self.chat, peer, offer.own_name, offer.name, offer.file, self.stall)
        sending.on_end = lambda reason: self.sent(sending, reason)
        self.transfers.append(sending)
        sending.start(message.text.strip())

    def sent(self, sending: Sending, reason: str | None) -> None:
        """Tell how sending ended (4.5). Who never connected tells the receiver, too."""
        if reason is None:
            self.show(f"{sending.peer} has received the file.")
            return
        self.show(
            f'Sending "{sending.name}" to {sending.peer} failed: {one_line(reason)}', Look.ERROR
        )
        if not sending.connected:
            self.chat.request(MessageType.FILE_REJECT, sending.peer, reason)

    def find_offer(self, peer: str) -> Offer | None:
        """Return our oldest offer to `peer` without an answer: answers come in order."""
        for offer in self.offers:
            if offer.peer == peer:
                return offer
        # A server that is not ours may name the sender of an answer wrongly, or not at all.
        guess = len(self.offers) == 1 and not self.chat.server_is_clear
        return self.offers[0] if guess else None

    def drop_offer(self, offer: Offer) -> None:
        """Forget an offer that came to nothing."""
        self.offers.remove(offer)
        os.close(offer.file)

    # The receiver's side

    def asked(self, message: Message) -> None:
        """Somebody offers a file: ask the user, behind those who asked before (4.2)."""
        peer = message.nick_sender.strip()
        if len(self.questions) == MOST_QUESTIONS or self.chat.console.at_end:
            self.chat.request(MessageType.FILE_REJECT, peer)
            return
        name = message.text.rstrip("\0\r\n ") or "unnamed"
        deadline = time.monotonic() + self.request_timeout
        self.questions.append(Question(peer, peer, name, deadline))
        if len(self.questions) == 1:
            self.ask_next()

    def ask_next(self) -> None:
        """Put the first question, if any, to the user (4.2)."""
        if self.questions:
            question = self.questions[0]
            self.show(
                f"{question.peer} wants you to accept the transfer of the file "
                f'named "{one_line(question.name)}". Do you accept? [Y/N]',
                Look.CHAT,
            )

    def answer(self, line: str) -> None:
        """Take Y/y/N/n for an answer to the first question, ask again for others (4.2, 4.4)."""
        word = line.strip().lower()
        if word in ("y", "yes"):
            self.accept(self.questions.pop(0))
        elif word in ("n", "no"):
            self.reject(self.questions.pop(0))
        self.ask_next()

    def accept(self, question: Question) -> None:
        """Listen, and tell the sender where (4.3)."""
        # The address under which we reach the server is one of ours that others reach, too.
        ip = addresses.plain_ip(self.chat.server.sock.getsockname()[0])
        try:
            receiving = Receiving(
                self.chat,
                question.peer,
                self.chat.own_name(),
                question.name,
                (ip, self.inbox),
                self.stall,
            )
        except (OSError, UserError) as error:
            self.show(f'Cannot receive "{one_line(question.name)}": {describe(error)}', Look.ERROR)
            self.reject(question)
            return
        receiving.known_as.add(question.asked_as)
        receiving.on_end = lambda reason: self.received(receiving, reason)
        self.transfers.append(receiving)
        self.show(f"Receiving the file from {question.peer}...")
        self.chat.request(MessageType.FILE_ACCEPT, question.asked_as, receiving.address)

    def reject_all(self) -> None:
        """Nobody is there any more to answer: that is a no to every question."""
        while self.questions:
            self.reject(self.questions.pop())

    def reject(self, question: Question) -> None:
        """Say no (4.4)."""
        self.chat.request(MessageType.FILE_REJECT, question.asked_as)

    def received(self, receiving: Receiving, reason: str | None) -> None:
        """Tell how receiving ended (4.5)."""
        if reason is None:
            self.show(f"{one_line(receiving.name)} saved in {receiving.saved_as}")
        else:
            self.show(
                f'Receiving "{one_line(receiving.name)}" from {receiving.peer} failed: {reason}',
                Look.ERROR,
            )

    # Both sides

    def rejected(self, message: Message) -> None:
        """The other side wants no more: our offer, their own, or a file agreed on (4.4).

        A FILE_REJECT names nobody's file. A plain no has no text; who takes back a request of
        their own says why.
        """
        peer = message.nick_sender.strip()
        reason = one_line(message.text.strip())
        ways = [self.lose_offer, self.lose_question, self.lose_receiving]
        if reason:
            ways = ways[1:] + ways[:1]
        for way in ways:
            if way(peer, reason):
                return

    def lose_offer(self, peer: str, reason: str) -> bool:
        """Forget our offer to `peer`, who said no (4.4)."""
        offer = self.find_offer(peer)
        if offer is None:
            return False
        self.drop_offer(offer)
        self.show(f"{peer} cancelled file transfer." + (f" ({reason})" if reason else ""))
        return True

    def lose_question(self, peer: str, reason: str) -> bool:
        """Forget the question of `peer`, who does not want to send any more."""
        for question in self.questions:
            if question.peer == peer:
                first = question is self.questions[0]
                self.questions.remove(question)
                self.show(f'{peer} took back "{one_line(question.name)}": {reason}')
                if first:
                    self.ask_next()
                return True
        return False

    def lose_receiving(self, peer: str, reason: str) -> bool:
        """Stop listening for `peer`, who cannot connect."""
        for transfer in self.transfers:
            if isinstance(transfer, Receiving) and transfer.waits and transfer.peer == peer:
                transfer.fail(reason or f"{peer} cancelled file transfer")
                return True
        return False

    def renamed(self, old: str, new: str) -> None:
        """Somebody we have to do with is called otherwise now; what was agreed stays."""
        for item in self.everything():
            if item.peer == old:
                item.peer = new

    def active(self) -> bool:
        """Say whether something would be lost if we left now."""
        return bool(self.offers or self.running())

    def running(self) -> list[Transfer]:
        """Return the transfers that have not ended."""
        return [transfer for transfer in self.transfers if not transfer.over]

    def deadline(self) -> float | None:
        """Return when `on_time`, or another look at the progress, is due."""
        moments = [item.deadline for item in self.everything()]
        return min(moments + [self.refresh_at] * bool(self.running()), default=None)

    def on_time(self) -> None:
        """Let lapse what waited too long, and fail what stalls."""
        now = time.monotonic()
        for item in [item for item in self.everything() if item.deadline <= now]:
            if isinstance(item, Transfer):
                item.late()
            elif isinstance(item, Question):
                self.lapse_question(item)
            else:
                self.lapse_offer(item)

    def lapse_question(self, question: Question) -> None:
        """Nobody answered in time: that is a no."""
        first = question is self.questions[0]
        self.questions.remove(question)
        self.show(f"The request of {question.peer} has lapsed.")
        self.reject(question)
        if first:
            self.ask_next()

    def lapse_offer(self, offer: Offer) -> None:
        """The other side did not even say that the request lapsed: take it back."""
        self.drop_offer(offer)
        self.show(f"{offer.peer} did not answer: your request has lapsed.")
        self.chat.request(MessageType.FILE_REJECT, offer.peer, "the request has lapsed")

    def tidy(self) -> None:
        """Forget transfers that are closed, and show how far the others are."""
        self.transfers = [transfer for transfer in self.transfers if not transfer.closed]
        now, running = time.monotonic(), self.running()
        if now >= self.refresh_at or not running:
            self.refresh_at = now + REFRESH if running else 0.0
            self.chat.console.set_status("\n".join(map(progress, running)))

    def close(self) -> None:
        """Break off everything; the other sides notice."""
        for transfer in self.transfers:
            if not transfer.over:
                transfer.fail("you left")
            transfer.close()
        for offer in list(self.offers):
            self.drop_offer(offer)

    def everything(self) -> Iterator[Offer | Question | Transfer]:
        """Return all that has a deadline."""
        yield from self.offers
        yield from self.questions
        yield from (transfer for transfer in self.transfers if not transfer.closed)

    def show(self, text: str, look: Look = Look.NOTICE) -> None:
        """Tell the user."""
        self.chat.console.show(text, look)


def unquote(path: str) -> str:
    """Return a path as it was meant: without the quotes around it, with the home for `~`."""
    path = path.strip()
    if len(path) > 1 and path[0] == path[-1] and path[0] in "\"'":
        path = path[1:-1]
    return os.path.expanduser(path)


def open_file(path: str) -> tuple[str, int]:
    """Return name and descriptor of a file that can be sent. Raises UserError (4.7)."""
    try:
        # O_NONBLOCK: to open a named pipe would wait for somebody who writes into it.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot send {path}: {describe(error)}") from None
    try:
        return check_file(path, os.fstat(file)), file
    except UserError:
        os.close(file)
        raise


def check_file(path: str, status: os.stat_result) -> str:
    """Return the name under which a file is sent. Raises UserError where it cannot be."""
    name = os.fsencode(os.path.basename(path)).decode("utf-8", "replace")
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"cannot send {path}: it is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"cannot send {path}: it is not a file")
    if status.st_size > MAX_LENGTH:
        raise UserError(
            f"cannot send {path}: it has {status.st_size} bytes, a frame takes {MAX_LENGTH}"
        )
    if len(name.encode()) >= INFOS_LEN:
        raise UserError(f"cannot send {path}: its name is longer than {INFOS_LEN - 1} bytes")
    return name


def progress(transfer: Transfer) -> str:
    """Return how far a transfer is: percent, size, rate, time left (4.1)."""
    verb = "sending" if isinstance(transfer, Sending) else "receiving"
    part = transfer.done / transfer.size if transfer.size else 0.0
    rate = transfer.done / max(time.monotonic() - transfer.started, 1e-3)
    left = f"{(transfer.size - transfer.done) / rate:.0f} s left" if rate else "waiting"
    bar = "#" * int(part * BAR_WIDTH)
    return (
        f"{verb} {one_line(transfer.name)[:20]} [{bar:.<{BAR_WIDTH}}] {int(100 * part)} %  "
        f"{transfer.size / 1e6:.1f} MB  {rate / 1e6:.1f} MB/s  {left}"
    )


def one_line(text: str) -> str:
    """Return what a stranger wrote without line ends, to be shown within a sentence."""
    return text[:300].replace("\n", "\\n").replace("\t", "\\t")
