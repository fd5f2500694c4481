"""Wrong programs of milestone 2. What they derive from is milestone2_users/, on common/."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from common import framing
from common.addresses import connect, listen
from common.connection import Connection
from common.errors import UserError
from common.framing import (
    HEADER_SIZE,
    NEED_MORE,
    Message,
    MessageType,
    ProtocolError,
    decode_header,
)
from common.poller import make_poller
from common.server import RECV_SIZE
from milestone2_users.client import ChatClient
from milestone2_users.server import ChatServer, is_quit
from milestone2_users.users import MAX_NAME, User, Users, clean_name, refuse_characters
from tests.mutants.registry import add, mutant
from tests.mutants.restless import restless

leaked: list[object] = []


def as_one_frame(data: bytes) -> Message | None:
    """No mutant: the frame at the start of `data`, if a header is there; the rest is ignored."""
    if len(data) < HEADER_SIZE:
        return None
    length, nick, kind, infos = decode_header(data)
    return Message(kind, nick, infos, data[HEADER_SIZE : HEADER_SIZE + max(0, length)])


def crash() -> None:
    """No mutant: what a write beyond the end of an array comes to in C. To end takes time, and the
    connections are closed before the process is gone."""
    os.closerange(3, 256)
    until = time.process_time() + 0.03
    while time.process_time() < until:
        pass
    os.kill(os.getpid(), signal.SIGSEGV)


# 2.0: frames


@mutant("2.0", "server")
class TakesOneRecvForOneFrame(ChatServer):
    """What one recv() brings is taken for one whole frame."""

    def _decode(self, connection: Connection, data: bytes) -> None:
        message = as_one_frame(data)
        if message is not None:
            self.received(connection, message)


@mutant("2.0", "server")
class ForgetsWhatComesBehindAFrame(ChatServer):
    """Of several frames that one recv() brings, the first counts."""

    def received(self, connection: Connection, message: Message) -> None:
        """Act on this one, and begin anew."""
        connection.decoder.take_rest()
        super().received(connection, message)


@mutant("2.0", "server")
class ReadsEachPartWithOneRecv(ChatServer):
    """One recv() for the header, one for the payload, and whatever they bring is all of it."""

    def _receive(self, connection: Connection) -> None:
        try:
            head = connection.sock.recv(HEADER_SIZE)
        except OSError as error:
            self._lose(connection, str(error))
            return
        if not head:
            connection.at_end = True
            self.dismiss(connection, "left")
            return
        length, nick, kind, infos = decode_header(head.ljust(HEADER_SIZE, b"\0"))
        payload = b""
        if 0 < length < 10_000:
            connection.sock.setblocking(True)
            connection.sock.settimeout(0.2)
            try:
                payload = connection.sock.recv(length)
            except OSError:
                payload = b""
            connection.sock.setblocking(False)
        self.received(connection, Message(kind, nick, infos, payload))


@mutant("2.0", "server", instead_of=framing._string)
def reads_fields_to_their_end(field: bytes) -> str:
    """Garbage behind a string's NUL is taken for a part of it."""
    return field.rstrip(b"\0").decode("utf-8", "replace")


@mutant("2.0", "server")
class TakesSendForAllSent(Connection):
    """What send() did not take is forgotten."""

    def flush(self) -> None:
        """Send once, and think no more of it."""
        data, self.waiting = b"".join(self._outbox), 0
        self._outbox.clear()
        try:
            self.sock.send(data)
        except BlockingIOError:
            return


@mutant("2.0", "client")
class ClientTakesOneRecvForOneFrame(ChatClient):
    """The client takes what one recv() brings for one whole frame."""

    def _receive(self) -> None:
        data = self.server.sock.recv(RECV_SIZE)
        message = as_one_frame(data)
        if not data:
            self._end_of_server()
        elif message is not None:
            self.received(message)


@mutant("2.0", "client")
class ClientForgetsWhatComesBehindAFrame(ChatClient):
    """Of several frames that reach the client at once, it shows the first."""

    def received(self, message: Message) -> None:
        """Show this one, and begin anew."""
        self.server.decoder.take_rest()
        super().received(message)


add(
    "2.0",
    "both",
    "numbers-in-network-order",
    "Both programs send the header's numbers through htonl(): a dialect that only they speak.",
    framing._LAYOUT,
    struct.Struct(framing._LAYOUT.format.replace("<", ">")),
)

# 2.1: logging in


@mutant("2.1", "server")
class AsksNobodyToLogIn(ChatServer):
    """Whoever connects is told nothing."""

    def connected(self, connection: Connection) -> None:
        """Connect, but send nothing."""
        super().connected(connection)
        connection._outbox.clear()
        connection.waiting = 0


@mutant("2.1", "server")
class ServesStrangers(ChatServer):
    """Messages are accepted before /nick has succeeded."""

    def refuse_stranger(self, user: User, message: Message) -> bool:
        """Refuse nobody."""
        return False


@mutant("2.1", "server")
class WritesToStrangers(ChatServer):
    """/msgall reaches those, too, who have connected and not logged in."""

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Go by connections instead of names."""
        others = [other for other in self.connection_of if other is not user]
        self.deliver(Message(message.type, user.name, "", message.payload), others)


@mutant("2.1", "server", instead_of=refuse_characters, also=("2.4",))
def takes_any_character(name: str) -> str | None:
    """Names may hold punctuation."""
    return refuse_characters("".join(filter(str.isalnum, name)))


@mutant("2.1", "server", instead_of=clean_name)
def cuts_long_names(raw: str) -> str:
    """A name that is too long is cut, instead of refused."""
    return clean_name(raw)[:MAX_NAME]


@mutant("2.1", "server", instead_of=clean_name)
def takes_an_empty_name(raw: str) -> str:
    """/nick without a name logs in somebody called nobody."""
    return clean_name(raw) or "nobody"


@mutant("2.1", "server", also=("2.4",))
class RefusesNamesSilently(Users):
    """A bad name is refused without a word."""

    def refuse_name(self, user: User, name: str) -> str | None:
        """Give no reason for bad characters."""
        return "" if refuse_characters(name) else super().refuse_name(user, name)


@mutant("2.1", "server", also=("2.4",), shown_by="a_bad_name_is_refused")
class DropsWhoHasABadName(ChatServer):
    """Whoever asks for a bad name is disconnected, and cannot try again."""

    def name_user(self, user: User, message: Message) -> None:
        """End the connection where nothing was granted."""
        super().name_user(user, message)
        if refuse_characters(clean_name(message.infos)):
            self.dismiss(self.connection_of[user], "bad name")


@mutant("2.1", "server")
class ListsUsersToStrangers(ChatServer):
    """Who has not logged in is told who has."""

    def refuse_stranger(self, user: User, message: Message) -> bool:
        """Let /who pass."""
        asks = message.type == MessageType.NICKNAME_LIST
        return not asks and super().refuse_stranger(user, message)


@mutant("2.1", "server", instead_of=refuse_characters)
def leaves_out_the_last_letter(name: str) -> str | None:
    """The loop that looks at a name's letters ends one too early."""
    return refuse_characters(name[:-1] if len(name) > 1 else name)


@mutant("2.1", "server")
class DescribesUsersToStrangers(ChatServer):
    """/whois is answered before the login."""

    def refuse_stranger(self, user: User, message: Message) -> bool:
        """Let it pass."""
        if message.type == MessageType.NICKNAME_INFOS:
            return False
        return super().refuse_stranger(user, message)


# 2.2: names in use


@mutant("2.2", "server")
class LetsTwoHaveOneName(Users):
    """A name in use is granted once more."""

    def refuse_name(self, user: User, name: str) -> str | None:
        """Look at the characters alone."""
        return refuse_characters(name)

    def free_name(self, user: User) -> None:
        """Free it where it is still one's own."""
        if self.find(user.name) is user:
            super().free_name(user)


@mutant("2.2", "server", instead_of=Users)
class ComparesWithTheFirstNameOnly(LetsTwoHaveOneName):
    """The loop that looks for the name returns after one round."""

    def refuse_name(self, user: User, name: str) -> str | None:
        """Look at the first user alone."""
        first = next(iter(self.everybody()), None)
        if first is not None and first.name == name:
            return Users.refuse_name(self, user, name)
        return super().refuse_name(user, name)


@mutant("2.2", "server")
class RefusesTakenNamesSilently(Users):
    """A name in use is refused without a word."""

    def refuse_name(self, user: User, name: str) -> str | None:
        """Give no reason."""
        return "" if self.find(name) else super().refuse_name(user, name)


# 2.3: coming and going


class RemembersWhoHasGone(ChatServer):
    """No mutant: keeps the names of users who have left."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.gone: list[str] = []

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Write the name down."""
        self.gone.append(self.user_of[connection].name)
        super().disconnected(connection, reason)


@mutant("2.3", "server", instead_of=ChatServer)
class NeverFreesANameOfWhoHasGone(RemembersWhoHasGone):
    """The name of a user who has left stays taken."""

    def name_user(self, user: User, message: Message) -> None:
        """Refuse the names of those who have gone."""
        if clean_name(message.infos) in self.gone:
            self.tell(user, message.type, "this name is in use")
        else:
            super().name_user(user, message)


@mutant("2.3", "server", instead_of=ChatServer)
class GivesThePlaceOfWhoLeftWithTheName(RemembersWhoHasGone):
    """Users live in an array: who connects next has the place of one who left, and the name."""

    def connected(self, connection: Connection) -> None:
        """Do not clear the place."""
        super().connected(connection)
        name = self.gone.pop() if self.gone else ""
        if name and self.users.find(name) is None:
            self.users.take_name(self.user_of[connection], name)

    def name_user(self, user: User, message: Message) -> None:
        """Take the own name, too, for a new one."""
        if clean_name(message.infos) == user.name:
            self.users.free_name(user)
            user.name = ""
        super().name_user(user, message)


@mutant("2.3", "server")
class ForgetsNobody(ChatServer):
    """Who has left stays in the tables, name and all."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Do nothing."""

    def deliver(self, message: Message, receivers: Sequence[User]) -> None:
        """Send to a closed descriptor, and take no notice of the error."""
        here = [one for one in receivers if self.connection_of[one].fd in self._connections]
        super().deliver(message, here)


@mutant("2.3", "server")
class EndsWithItsLastUser(ChatServer):
    """The server ends when the last of its users leaves."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Exit, with status 0."""
        super().disconnected(connection, reason)
        if not self.user_of:
            os._exit(0)


@mutant("2.3", "server")
class ForgetsTheNextOneToo(ChatServer):
    """A mistake in the linked list: who came after the one that leaves is lost with them."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Cut the list behind the one who leaves."""
        users = list(self.users.everybody())
        user = self.user_of[connection]
        for lost in users[users.index(user) + 1 :][:1] if user in users else []:
            self.users.free_name(lost)
            lost.name = ""
        super().disconnected(connection, reason)


# 2.4: changing one's name


@mutant("2.4", "server")
class KeepsTheOldName(Users):
    """After a change of name the old one stays in the list."""

    def take_name(self, user: User, name: str) -> None:
        """Add the new name only."""
        user.name = name
        self._by_name[name] = user


@mutant("2.4", "server")
class NamesAreForEver(ChatServer):
    """Who has a name cannot change it."""

    def name_user(self, user: User, message: Message) -> None:
        """Refuse a second /nick."""
        if user.name:
            self.tell(user, message.type, "you are logged in already")
        else:
            super().name_user(user, message)


@mutant("2.4", "server")
class ChangesWithoutRules(Users):
    """A change of name is granted whatever the new name is."""

    def refuse_name(self, user: User, name: str) -> str | None:
        """Rules are for newcomers."""
        return None if user.name else super().refuse_name(user, name)

    def free_name(self, user: User) -> None:
        """Free it where it is still one's own."""
        if self.find(user.name) is user:
            super().free_name(user)


@mutant("2.4", "server")
class FreesTheOldNameTooEarly(Users):
    """The old name is gone before it is known whether the new one is free."""

    def refuse_name(self, user: User, name: str) -> str | None:
        """Free first, then look."""
        self.free_name(user)
        reason = super().refuse_name(user, name)
        if reason is not None:
            user.name = ""
        return reason


@mutant("2.4", "server")
class SpeaksUnderTheOldName(ChatServer):
    """Lists have the new name, messages still the first one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.first_name: dict[User, str] = {}

    def deliver_private(self, user: User, message: Message) -> None:
        """Use the name of the first login."""
        other = self.find_user(user, message)
        if other is not None:
            name = self.first_name[user]
            self.deliver(Message(message.type, name, other.name, message.payload), [other])

    def name_user(self, user: User, message: Message) -> None:
        """Write down the first name."""
        super().name_user(user, message)
        self.first_name.setdefault(user, user.name)


# 2.5: /who


@mutant("2.5", "server")
class LeavesTheAskerOut(ChatServer):
    """/who lists the others."""

    def list_users(self, user: User, message: Message) -> None:
        """Skip the one who asks."""
        names = [other.name for other in self.users.everybody() if other is not user]
        self.tell_list(user, message.type, "Online users are", names)


@mutant("2.5", "server")
class LeavesTheFirstOut(ChatServer):
    """A loop that begins one too late: the first in the list is missing."""

    def list_users(self, user: User, message: Message) -> None:
        """Begin with the second."""
        names = [other.name for other in self.users.everybody()][1:]
        self.tell_list(user, message.type, "Online users are", names)


@mutant("2.5", "server", instead_of=ChatServer)
class ListsWhoHasGone(RemembersWhoHasGone):
    """/who still lists those who have left."""

    def list_users(self, user: User, message: Message) -> None:
        """List everybody who was ever here."""
        names = [*self.gone, *(other.name for other in self.users.everybody())]
        self.tell_list(user, message.type, "Online users are", names)


@mutant("2.5", "server")
class ListsTheAskerAlone(ChatServer):
    """/who answers with one's own name."""

    def list_users(self, user: User, message: Message) -> None:
        """Do not walk through the list."""
        self.tell_list(user, message.type, "Online users are", [user.name])


@mutant("2.5", "server")
class ListsWhoHasNoName(ChatServer):
    """Who has connected and has no name yet is a line without a name in the list."""

    def list_users(self, user: User, message: Message) -> None:
        """List all connections."""
        names = [other.name for other in self.connection_of]
        self.tell_list(user, message.type, "Online users are", names)


# 2.6: /whois


@mutant("2.6", "server")
class TellsOfTheAsker(ChatServer):
    """/whois gives the address of the one who asks."""

    def describe_user(self, user: User, message: Message) -> None:
        """Find the user, and look at another record."""
        if self.find_user(user, message) is not None:
            super().describe_user(user, message._replace(infos=user.name))


@mutant("2.6", "server")
class TellsNoDate(ChatServer):
    """/whois does not say since when."""

    def describe_user(self, user: User, message: Message) -> None:
        """Give the address alone."""
        other = self.find_user(user, message)
        if other is not None:
            self.tell(user, message.type, f"{other.name} {other.ip} {other.port}")


@mutant("2.6", "server")
class ForgetsNtohs(ChatServer):
    """The port is printed with its two bytes exchanged."""

    def describe_user(self, user: User, message: Message) -> None:
        """Print the port as it lies in memory."""
        other = self.find_user(user, message)
        if other is not None:
            port = socket.ntohs(other.port)
            text = f"{other.name} connected since {other.since:%H:%M} from {other.ip} port {port}"
            self.tell(user, message.type, text)


@mutant("2.6", "server")
class SaysNothingOfStrangers(ChatServer):
    """/whois of an unknown user is not answered."""

    def describe_user(self, user: User, message: Message) -> None:
        """Answer when there is something to say."""
        if self.users.find(clean_name(message.infos)) is not None:
            super().describe_user(user, message)


@mutant("2.6", "server")
class AnswersForStrangers(ChatServer):
    """/whois of an unknown user describes the last one in the list."""

    def describe_user(self, user: User, message: Message) -> None:
        """Stop at the end of the list, found or not."""
        *_, last = self.users.everybody()
        found = self.users.find(clean_name(message.infos)) or last
        super().describe_user(user, message._replace(infos=found.name))


# 2.7: /msgall


@mutant("2.7", "server")
class MissesTheLastOne(ChatServer):
    """A loop that ends one too early: /msgall does not reach the last in the list."""

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Leave the last one out."""
        others = [other for other in self.users.everybody() if other is not user][:-1]
        self.deliver(Message(message.type, user.name, "", message.payload), others)


@mutant("2.7", "server")
class SendsToAllWithoutAName(ChatServer):
    """A message to all does not say who sent it."""

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Leave the name out."""
        others = [other for other in self.users.everybody() if other is not user]
        self.deliver(Message(message.type, "", "", message.payload), others)


@mutant("2.7", "client")
class SendsOneWordToAll(ChatClient):
    """Of the text to all, the first word is sent."""

    def send_to_all(self, text: str) -> None:
        """As sscanf("%s") reads it."""
        super().send_to_all(text.split()[0])


@mutant("2.7", "server", instead_of=ChatServer)
class CountsWithHoles(RemembersWhoHasGone):
    """The loop goes as far as there are users, over an array with holes where users have left."""

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Miss as many at the end as there are holes before."""
        everybody = list(self.users.everybody())
        reached = everybody[: max(0, len(everybody) - len(self.gone))]
        others = [other for other in reached if other is not user]
        self.deliver(Message(message.type, user.name, "", message.payload), others)


# 2.8: nothing comes back


@mutant("2.8", "server")
class SendsToAllAndTheSender(ChatServer):
    """A message to all comes back to its sender."""

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Go through the whole list."""
        everybody = list(self.users.everybody())
        self.deliver(Message(message.type, user.name, "", message.payload), everybody)


@mutant("2.8", "server")
class SendsACopyToTheSender(ChatServer):
    """A private message comes back to its sender."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Deliver it twice."""
        super().deliver_private(user, message)
        if self.users.find(clean_name(message.infos)):
            self.deliver(Message(message.type, user.name, "", message.payload), [user])


# 2.9: private messages


@mutant("2.9", "server")
class WhispersToEverybody(ChatServer):
    """A private message reaches all other users."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Send it to the others, too."""
        if self.find_user(user, message) is not None:
            self.deliver_to_all(user, message)


@mutant("2.9", "server")
class BelievesTheFrame(ChatServer):
    """The sender's name is taken from the frame."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Forward the frame as it came."""
        other = self.find_user(user, message)
        if other is not None:
            self.deliver(message, [other])


@mutant("2.9", "server")
class BelievesTheFrameToAll(ChatServer):
    """In a message to all the sender's name is taken from the frame."""

    def deliver_to_all(self, user: User, message: Message) -> None:
        """Forward the frame as it came."""
        self.deliver(message, [other for other in self.users.everybody() if other is not user])


@mutant("2.9", "server", also=("2.0",))
class WhispersWithoutAName(ChatServer):
    """A private message does not say who sent it."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Leave the name out."""
        other = self.find_user(user, message)
        if other is not None:
            self.deliver(Message(message.type, "", "", message.payload), [other])


@mutant("2.9", "client")
class WhispersOneWord(ChatClient):
    """Of a private message, the first word is sent."""

    def send_private(self, name: str, text: str) -> None:
        """As sscanf("%s") reads it."""
        super().send_private(name, text.split()[0])


@mutant("2.9", "client")
class CutsLongMessages(ChatClient):
    """A private message is copied into a buffer of 128 bytes."""

    def send_private(self, name: str, text: str) -> None:
        """As strncpy() does it."""
        super().send_private(name, text[:127])


@mutant("2.9", "server")
class SendsWhatIsLeftInTheBuffer(ChatServer):
    """One buffer for all, never cleared: behind a short message comes the end of a long one."""

    left = b""

    def deliver_private(self, user: User, message: Message) -> None:
        """Write over the last one."""
        self.left = message.payload + self.left[len(message.payload) :]
        super().deliver_private(user, message._replace(payload=self.left))


# 2.10: an unknown receiver


@mutant("2.10", "server")
class SaysNothingOfUnknownReceivers(ChatServer):
    """A message to nobody is dropped without a word."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Deliver what can be delivered."""
        if self.users.find(clean_name(message.infos)) is not None:
            super().deliver_private(user, message)


@mutant("2.10", "server")
class SendsToAllWhatIsForNobody(ChatServer):
    """A message to an unknown user goes to everybody."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Without a receiver, take all."""
        super().deliver_private(user, message)
        if self.users.find(clean_name(message.infos)) is None:
            self.deliver_to_all(user, message)


@mutant("2.10", "server")
class ClaimsThatItWasSent(ChatServer):
    """The sender is told "message sent", whether there is a receiver or not."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Answer the same in any case."""
        if self.users.find(clean_name(message.infos)) is not None:
            super().deliver_private(user, message)
        self.tell(user, message.type, "message sent")


@mutant("2.10", "server", also=("2.B",))
class CrashesOnUnknownReceivers(ChatServer):
    """The result of the search is used without a look: NULL is followed."""

    def deliver_private(self, user: User, message: Message) -> None:
        """Follow the pointer."""
        if self.users.find(clean_name(message.infos)) is None:
            crash()
        super().deliver_private(user, message)


@mutant("2.10", "server")
class TellsEverybodyOfUnknownUsers(ChatServer):
    """That a user does not exist is told to all, not to the asker alone."""

    def find_user(self, asker: User, message: Message) -> User | None:
        """Tell the others, too."""
        other = super().find_user(asker, message)
        if other is None and message.type == MessageType.UNICAST_SEND:
            for one in self.users.everybody():
                if one is not asker:
                    self.tell(one, message.type, f"user {message.infos} does not exist")
        return other


# 2.11: echo


@mutant("2.11", "server")
class EchoesNothing(ChatServer):
    """Text without a command is ignored."""

    def echo(self, user: User, message: Message) -> None:
        """Only /quit has an effect."""
        if is_quit(message):
            super().echo(user, message)


@mutant("2.11", "server")
class EchoesToAll(ChatServer):
    """Text without a command reaches everybody."""

    def echo(self, user: User, message: Message) -> None:
        """Send it to the others, too."""
        super().echo(user, message)
        self.deliver_to_all(user, message)


@mutant("2.11", "client")
class EchoesByItself(ChatClient):
    """The client prints the text, and sends nothing."""

    def send_text(self, text: str) -> None:
        """Show it."""
        self.console.show(text)


@mutant("2.11", "server")
class EchoesOneWord(ChatServer):
    """An echo ends at the first blank."""

    def echo(self, user: User, message: Message) -> None:
        """Echo the first word."""
        super().echo(user, message._replace(payload=message.payload.split(b" ")[0]))


# 2.12: /whoami


@mutant("2.12", "client")
class KnowsItsNameOnly(ChatClient):
    """/whoami prints the name, and no more."""

    def ask_about_self(self) -> None:
        """Ask nobody."""
        self.console.show(f"You are {self.own_name()}")


@mutant("2.12", "client")
class DoesNotKnowWhoAmI(ChatClient):
    """/whoami asks the server about somebody without a name."""

    def own_name(self) -> str:
        """Forget what was granted."""
        return ""


# 2.13: /quit


@mutant("2.13", "client")
class LeavesWithoutAWord(ChatClient):
    """/quit says no goodbye."""

    def quit(self) -> None:
        """Leave."""
        self.leave()


@mutant("2.13", "client", also=("2.C",))
class SaysGoodbyeAndStays(ChatClient):
    """/quit says goodbye, and the connection stays."""

    def quit(self) -> None:
        """Say it."""
        self.console.show("Goodbye.")


# 2.A: both families


@mutant("2.A", "server", instead_of=listen)
def listens_on_ipv4_only(host: str | None, port: int) -> list[socket.socket]:
    """The server has an IPv4 socket only."""
    return listen("0.0.0.0", port)


@mutant("2.A", "client", instead_of=connect)
def connects_over_ipv4_only(host: str, port: int, timeout: float) -> socket.socket:
    """The client looks for IPv4 addresses only."""
    if ":" in host:
        raise UserError(f"unknown host {host}")
    return connect("127.0.0.1" if host == "localhost" else host, port, timeout)


# 2.B: bad behaviour


@mutant("2.B", "server")
class WaitsForTheWholeFrame(ChatServer):
    """Having begun a frame, the server waits for the rest of it, and nobody else is served."""

    def _receive(self, connection: Connection) -> None:
        connection.sock.setblocking(True)
        try:
            data = connection.sock.recv(HEADER_SIZE, socket.MSG_WAITALL)
            if len(data) == HEADER_SIZE and (length := max(0, decode_header(data).pld_len)):
                data += connection.sock.recv(length, socket.MSG_WAITALL)
        except OSError:
            data = b""
        connection.sock.setblocking(False)
        if data:
            self._decode(connection, data)
        else:
            connection.at_end = True
            self.dismiss(connection, "left")


@mutant("2.B", "server")
class CrashesOnWhatIsNoFrame(ChatServer):
    """A length or a type that cannot be ends the server."""

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """Let the exception go on."""
        raise error


@mutant("2.B", "server")
class HasABufferOf4096Bytes(ChatServer):
    """A payload that is longer than the buffer overruns it."""

    def received(self, connection: Connection, message: Message) -> None:
        """Copy it, however long it is."""
        if len(message.payload) > 4096:
            crash()
        super().received(connection, message)


@mutant("2.B", "server", also=("2.1",))
class TrustsThatThereIsANul(ChatServer):
    """strcpy() of a field that has no NUL."""

    def received(self, connection: Connection, message: Message) -> None:
        """Copy it, however long it is."""
        if len(message.infos) == framing.INFOS_LEN:
            crash()
        super().received(connection, message)


@mutant("2.B", "server", shown_by="a_reader_that_never_reads_harms_nobody_else")
class WaitsForSlowReaders(Connection):
    """Sockets block: a client that does not read holds up everybody."""

    def flush(self) -> None:
        """Send all of it, however long it takes."""
        data, self.waiting = b"".join(self._outbox), 0
        self._outbox.clear()
        self.sock.setblocking(True)
        self.sock.sendall(data)
        self.sock.setblocking(False)


@mutant("2.B", "server", also=("2.3",), shown_by="garbage_and_gone_harms_nobody_else")
class DiesOfAReset(ChatServer):
    """Nobody catches ECONNRESET."""

    def _lose(self, connection: Connection, reason: str) -> None:
        raise ConnectionResetError(reason)


@mutant("2.B", "client", shown_by="a_bad_server_does_not_crash_the_client")
class ClientCrashesOnUnknownTypes(ChatClient):
    """The client looks up what it is sent in a table that has sixteen entries."""

    def received(self, message: Message) -> None:
        """Show what the table knows."""
        MessageType(message.type)
        super().received(message)


@mutant("2.B", "client", shown_by="a_bad_server_does_not_crash_the_client")
class ClientHasABufferOf4096Bytes(ChatClient):
    """A payload that is longer than the client's buffer overruns it."""

    def received(self, message: Message) -> None:
        """Copy it, however long it is."""
        if len(message.payload) > 4096:
            crash()
        super().received(message)


@mutant("2.B", "client", shown_by="a_bad_server_does_not_crash_the_client")
class ClientTrustsTheLength(ChatClient):
    """A length that cannot be ends the client in a traceback."""

    def _receive(self) -> None:
        data = self.server.sock.recv(RECV_SIZE)
        if not data:
            self._end_of_server()
        self.server.decoder.receive_data(data)
        while (message := self.server.decoder.next_message()) is not NEED_MORE:
            self.received(message)  # type: ignore[arg-type]


# 2.C: at rest


add(
    "2.C",
    "server",
    "asks-without-rest",
    "poll() is called with a timeout of 0: a busy loop.",
    make_poller,
    restless,
    shown_by="an_idle_server_uses_no_cpu",
)


@mutant("2.C", "server", shown_by="memory_returns_to_the_baseline")
class KeepsABufferPerClient(ChatServer):
    """Every client gets a buffer that nobody frees."""

    def connected(self, connection: Connection) -> None:
        """Allocate, and touch every page."""
        leaked.append(bytearray(os.urandom(1024)) * 64)
        super().connected(connection)


@mutant("2.C", "server", shown_by="memory_returns_to_the_baseline")
class NeverGivesAPlaceBack(ChatServer):
    """There is room for 128 clients, and who has left is still counted."""

    visits = 0

    def connected(self, connection: Connection) -> None:
        """Send away whoever comes when it is full."""
        super().connected(connection)
        self.visits += 1
        if self.visits > 128:
            self.dismiss(connection, "no room")


@mutant("2.C", "server", shown_by="descriptors_return_to_the_baseline")
class DoesNotCloseTheSocket(ChatServer):
    """Whoever has left is forgotten, but the socket stays open."""

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Do everything but close."""
        leaked.append(connection.sock.dup())
        super().disconnected(connection, reason)


@mutant("2.C", "server", also=("2.3",), shown_by="a_server_is_idle_after_a_client_has_gone")
class NeverNoticesTheEnd(ChatServer):
    """recv() returning nothing is not taken for the end: poll() reports it again at once."""

    def _receive(self, connection: Connection) -> None:
        try:
            if connection.sock.recv(1, socket.MSG_PEEK):
                super()._receive(connection)
        except OSError:
            super()._receive(connection)
