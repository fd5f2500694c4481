"""Chat server, milestones 2 to 4. One task per connection; nobody ever waits for a slow reader."""

import asyncio
import os
import re
import signal
import socket
import sys
import time

from wire import BadFrame, Kind, pack, read_message

SLOW_READER = 5_000_000
# A server that takes its time before it listens: START_UP_SECONDS=2 in the environment.
START_UP_SECONDS = float(os.environ.get("START_UP_SECONDS", "0"))
NAME = re.compile(r"[A-Za-z0-9]{1,24}", re.ASCII)


class Person:
    def __init__(self, writer):
        self.writer = writer
        self.host, self.port = writer.get_extra_info("peername")[:2]
        self.since = time.strftime("%Y/%m/%d@%H:%M")
        self.name = ""
        self.room = ""

    def send(self, *frame):
        transport = self.writer.transport
        if transport.is_closing():
            return
        self.writer.write(pack(*frame))
        if transport.get_write_buffer_size() > SLOW_READER:
            transport.abort()

    def tell(self, kind, *lines):
        """A reply: one frame a line, of the request's type, infos left empty."""
        for line in lines:
            self.send(kind, "Server", "", line)


class Chat:
    def __init__(self):
        self.connections = set()
        self.people = {}  # name -> Person
        self.rooms = {}  # room -> list of Person
        self.requests = []  # (sender, the name the sender had then, receiver)

    # -- one connection --------------------------------------------------------------------

    async def serve(self, reader, writer):
        me = Person(writer)
        self.connections.add(me)
        me.tell(Kind.ECHO_SEND, "Hi there.", "Pick a name first: /nick <name>")
        try:
            while True:
                _, kind, infos, payload = await read_message(reader)
                self.handle(me, kind, infos, payload)
                await writer.drain()
        except BadFrame as error:
            me.tell(Kind.ECHO_SEND, f"I cannot read that ({error}).")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(me)
            self.forget(me)
            writer.close()

    def handle(self, me, kind, infos, payload):
        action = ACTIONS.get(kind)
        if not me.name and kind != Kind.NICKNAME_NEW:
            me.tell(Kind.ECHO_SEND, "Not yet: choose a name with /nick <name>.")
        elif action is None:
            me.tell(Kind.ECHO_SEND, f"Type {kind} means nothing to me.")
        else:
            action(self, me, infos, payload)

    def forget(self, me):
        if not me.name:
            return
        for request in [r for r in self.requests if me in (r[0], r[2])]:
            self.requests.remove(request)
            other = request[2] if request[0] is me else request[0]
            other.send(Kind.FILE_REJECT, "Server", me.name, f"{me.name} has gone, no file.")
        self.leave(me, Kind.MULTICAST_QUIT)
        del self.people[me.name]
        self.announce(me, f"* {me.name} went away")

    def announce(self, about, text):
        for person in self.people.values():
            if person is not about:
                person.tell(Kind.NICKNAME_NEW, text)

    # -- milestone 2 -----------------------------------------------------------------------

    def nick(self, me, name, _):
        if not NAME.fullmatch(name):
            me.tell(Kind.NICKNAME_NEW, "No good: a name is 1 to 24 letters or digits.")
        elif name in self.people or name.lower() == "server":
            me.tell(Kind.NICKNAME_NEW, f"No good: somebody else is {name}.")
        else:
            before, me.name = me.name, name
            if before:
                del self.people[before]
            self.people[name] = me
            me.tell(Kind.NICKNAME_NEW, f"Welcome, {name}!")
            self.announce(me, f"* {before} is now {name}" if before else f"* {name} came in")

    def who(self, me, *_):
        me.tell(Kind.NICKNAME_LIST, "Here now:", ", ".join(self.people) + ".")

    def whois(self, me, name, _):
        person = self.people.get(name)
        if person is None:
            me.tell(Kind.NICKNAME_INFOS, f"Nobody here is called {name}.")
        else:
            me.tell(
                Kind.NICKNAME_INFOS,
                f"{name} came at {person.since}",
                f"from address {person.host}",
                f"and port {person.port}",
            )

    def echo(self, me, _, text):
        me.send(Kind.ECHO_SEND, me.name, "", text)

    def unicast(self, me, name, text):
        person = self.people.get(name)
        if person is None:
            me.tell(Kind.UNICAST_SEND, f"Nobody here is called {name}: not delivered.")
        elif person is me:
            me.tell(Kind.UNICAST_SEND, "That is you.")
        else:
            person.send(Kind.UNICAST_SEND, me.name, name, text)

    def broadcast(self, me, _, text):
        for person in self.people.values():
            if person is not me:
                person.send(Kind.BROADCAST_SEND, me.name, "", text)

    # -- milestone 3 -----------------------------------------------------------------------

    def leave(self, me, kind):
        room, me.room = me.room, ""
        if not room:
            return
        members = self.rooms[room]
        members.remove(me)
        me.tell(kind, f"You left {room}.")
        if not members:
            del self.rooms[room]
            me.tell(kind, f"Nobody was left in {room}, so it is gone.")
        for person in members:
            person.tell(Kind.MULTICAST_SEND, f"* {me.name} left {room}")

    def enter(self, me, room, kind):
        self.leave(me, kind)
        members = self.rooms.setdefault(room, [])
        for person in members:
            person.tell(Kind.MULTICAST_SEND, f"* {me.name} entered {room}")
        members.append(me)
        me.room = room
        me.tell(kind, f"You are in {room}.", f"({len(members)} in here)")

    def create(self, me, room, _):
        if not NAME.fullmatch(room):
            me.tell(Kind.MULTICAST_CREATE, "No good: a room's name is 1 to 24 letters or digits.")
        elif room in self.rooms:
            me.tell(Kind.MULTICAST_CREATE, f"No good: there is a {room} already.")
        else:
            self.enter(me, room, Kind.MULTICAST_CREATE)

    def room_list(self, me, *_):
        rooms = ", ".join(self.rooms) + "." if self.rooms else "none at all."
        me.tell(Kind.MULTICAST_LIST, "Rooms:", rooms)

    def join(self, me, room, _):
        if room not in self.rooms:
            me.tell(Kind.MULTICAST_JOIN, f"There is no room {room}.")
        elif room == me.room:
            me.tell(Kind.MULTICAST_JOIN, "Look around: this is it.")
        else:
            self.enter(me, room, Kind.MULTICAST_JOIN)

    def in_room(self, me, room, kind):
        if me.room and room in ("", me.room):
            return True
        me.tell(kind, "You are not in that room.")
        return False

    def multicast(self, me, room, text):
        if self.in_room(me, room, Kind.MULTICAST_SEND):
            for person in self.rooms[me.room]:
                if person is not me:
                    person.send(Kind.MULTICAST_SEND, me.name, me.room, text)

    def quit_room(self, me, room, _):
        if self.in_room(me, room, Kind.MULTICAST_QUIT):
            self.leave(me, Kind.MULTICAST_QUIT)

    # -- milestone 4 -----------------------------------------------------------------------

    def ask_file(self, me, name, file):
        person = self.people.get(name)
        if person is None or person is me:
            text = "That is you." if person else f"Nobody here is called {name}: no file."
            me.send(Kind.FILE_REJECT, "Server", name, text)
        elif sum(r[0] is me for r in self.requests) >= 20:
            me.send(Kind.FILE_REJECT, "Server", name, "One file at a time, please.")
        else:
            self.requests.append((me, me.name, person))
            person.send(Kind.FILE_REQUEST, me.name, name, file)

    def answer_file(self, kind, me, name, where):
        for request in self.requests:
            if request[2] is me and name in (request[0].name, request[1]):
                self.requests.remove(request)
                request[0].send(kind, me.name, name, where)
                return
        me.tell(Kind.ECHO_SEND, f"No file of {name}'s waits for your answer.")

    def accept_file(self, me, name, where):
        self.answer_file(Kind.FILE_ACCEPT, me, name, where)

    def reject_file(self, me, name, _):
        self.answer_file(Kind.FILE_REJECT, me, name, b"")


ACTIONS = {
    Kind.NICKNAME_NEW: Chat.nick,
    Kind.NICKNAME_LIST: Chat.who,
    Kind.NICKNAME_INFOS: Chat.whois,
    Kind.ECHO_SEND: Chat.echo,
    Kind.UNICAST_SEND: Chat.unicast,
    Kind.BROADCAST_SEND: Chat.broadcast,
    Kind.MULTICAST_CREATE: Chat.create,
    Kind.MULTICAST_LIST: Chat.room_list,
    Kind.MULTICAST_JOIN: Chat.join,
    Kind.MULTICAST_SEND: Chat.multicast,
    Kind.MULTICAST_QUIT: Chat.quit_room,
    Kind.FILE_REQUEST: Chat.ask_file,
    Kind.FILE_ACCEPT: Chat.accept_file,
    Kind.FILE_REJECT: Chat.reject_file,
}


def open_listener(port):
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


async def main(listener):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    await asyncio.start_server(Chat().serve, sock=listener, backlog=200)
    print("come in", flush=True)
    await stop.wait()
    print("closing time", flush=True)


if __name__ == "__main__":
    try:
        port = int(sys.argv[1])
        if not 0 < port < 65536 or len(sys.argv) > 2:
            raise ValueError
        time.sleep(START_UP_SECONDS)
        asyncio.run(main(open_listener(port)))
    except (IndexError, ValueError):
        sys.exit("usage: server.py PORT")
    except OSError as error:
        sys.exit(f"cannot listen on {sys.argv[1]}: {error}")
    except KeyboardInterrupt:
        pass
