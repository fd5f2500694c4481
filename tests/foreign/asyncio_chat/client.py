"""Chat client, milestones 2 to 4. Prompts before and no newline behind what it prints."""

import asyncio
import os
import re
import sys
import threading

from files import Files
from wire import BadFrame, Kind, pack, read_message


class Client:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.name = ""
        self.room = ""
        self.files = Files(self)

    def show(self, text):
        prompt = f"{self.name or 'nobody'}{'@' + self.room if self.room else ''}> "
        print(f"\r{text}\n{prompt}", end="", flush=True)

    def send(self, kind, infos="", payload=""):
        self.writer.write(pack(kind, self.name, infos, payload))

    # -- typed -----------------------------------------------------------------------------

    def typed(self, line):
        """False to end."""
        command, _, rest = line.partition(" ")
        rest = rest.strip()
        if not line.startswith("/"):
            self.talk(line)
        elif command == "/quit":
            if not rest and not self.room:
                return False
            self.send(Kind.MULTICAST_QUIT, rest or self.room)
        elif command == "/msg":
            name, _, text = rest.partition(" ")
            self.send(Kind.UNICAST_SEND, name, text)
        elif command == "/msgall":
            self.send(Kind.BROADCAST_SEND, "", rest)
        elif command == "/whoami":
            self.send(Kind.NICKNAME_INFOS, self.name)
        elif command == "/send":
            name, _, path = rest.partition(" ")
            self.files.offer(name, path.strip())
        elif command in PLAIN_COMMANDS:
            self.send(PLAIN_COMMANDS[command], rest)
        else:
            self.show(f"{command}? There is no such command.")
        return True

    def talk(self, line):
        if self.files.question():
            self.files.answer(line.strip().lower())
        elif self.room:
            self.send(Kind.MULTICAST_SEND, self.room, line)
        elif line:
            self.send(Kind.ECHO_SEND, "", line)

    # -- received --------------------------------------------------------------------------

    async def listen(self):
        while True:
            sender, kind, infos, payload = await read_message(self.reader)
            text = payload.decode("utf-8", "replace")
            if kind == Kind.FILE_REQUEST:
                self.files.asked(sender, text)
            elif kind == Kind.FILE_ACCEPT:
                self.files.accepted(sender, text)
            elif kind == Kind.FILE_REJECT and sender == "Server":
                self.files.called_off(infos)
                self.show(text)
            elif kind == Kind.FILE_REJECT:
                self.files.rejected(sender)
            else:
                self.receive_text(sender, kind, text)

    def receive_text(self, sender, kind, text):
        if sender == "Server":
            self.follow(kind, text)
            self.show(text)
        elif kind == Kind.UNICAST_SEND:
            self.show(f"{sender} whispers: {text}")
        elif kind == Kind.BROADCAST_SEND:
            self.show(f"{sender} shouts: {text}")
        elif kind == Kind.ECHO_SEND:
            self.show(f"(echo) {text}")
        else:
            self.show(f"{sender} says: {text}")

    def follow(self, kind, text):
        """The server's own words tell who and where we are."""
        if kind == Kind.NICKNAME_NEW:
            if match := re.fullmatch(r"Welcome, (\w+)!", text):
                self.name = match[1]
            elif match := re.fullmatch(r"\* (\w+) is now (\w+)", text):
                self.files.renamed(match[1], match[2])
        elif kind in (Kind.MULTICAST_CREATE, Kind.MULTICAST_JOIN, Kind.MULTICAST_QUIT):
            if match := re.fullmatch(r"You are in (\w+)\.", text):
                self.room = match[1]
            elif re.fullmatch(r"You left \w+\.", text):
                self.room = ""


PLAIN_COMMANDS = {
    "/nick": Kind.NICKNAME_NEW,
    "/who": Kind.NICKNAME_LIST,
    "/whois": Kind.NICKNAME_INFOS,
    "/create": Kind.MULTICAST_CREATE,
    "/channel_list": Kind.MULTICAST_LIST,
    "/join": Kind.MULTICAST_JOIN,
}


def read_keyboard(loop, lines):
    """Runs in a thread: raw reads, so that nothing holds the interpreter back at its end."""
    pending = b""
    while data := os.read(0, 65536):
        *complete, pending = (pending + data).split(b"\n")
        for line in complete:
            loop.call_soon_threadsafe(lines.put_nowait, line.decode("utf-8", "replace"))
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def take_commands(client):
    lines = asyncio.Queue()
    arguments = (asyncio.get_running_loop(), lines)
    threading.Thread(target=read_keyboard, args=arguments, daemon=True).start()
    while (line := await lines.get()) is not None and client.typed(line):
        pass
    await client.writer.drain()


async def main(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    client = Client(reader, writer)
    client.show(f"Connected to {host}.")
    listening = asyncio.create_task(client.listen())
    typing = asyncio.create_task(take_commands(client))
    await asyncio.wait({listening, typing}, return_when=asyncio.FIRST_COMPLETED)
    await client.files.stop()
    if listening.done():
        problem = listening.exception()
        known = (BadFrame, ConnectionError, asyncio.IncompleteReadError)
        if not isinstance(problem, known):
            raise problem
        print("\nThe server is gone." if not isinstance(problem, BadFrame) else f"\n{problem}?")
        return 1
    print("\nSee you!")
    writer.close()
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    try:
        address = sys.argv[1], int(sys.argv[2])
        if len(sys.argv) > 3 or not 0 < address[1] < 65536:
            raise ValueError
    except (IndexError, ValueError):
        sys.exit("usage: client.py HOST PORT")
    try:
        status = asyncio.run(main(*address))
    except OSError as error:
        sys.exit(f"no connection to {address[0]}: {error}")
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
