"""Files straight from client to client (milestone 4): one task per transfer."""

import asyncio
import os
import tempfile

from wire import BadFrame, Kind, pack, pack_header, read_header

PATIENCE = 20
BLOCK = 65536
TROUBLE = (OSError, BadFrame, asyncio.IncompleteReadError, asyncio.TimeoutError)


class Transfer:
    def __init__(self, peer, name, path=None):
        self.peer = peer
        self.names = {peer}  # all that the peer was called while this waited
        self.name = name
        self.path = path


class Files:
    def __init__(self, client):
        self.client = client
        self.offers = []  # ours, not answered yet
        self.questions = []  # theirs, not answered yet
        self.tasks = set()

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def stop(self):
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- agreeing --------------------------------------------------------------------------

    def offer(self, peer, path):
        if len(path) > 1 and path[0] == path[-1] == '"':
            path = path[1:-1]
        name = os.path.basename(path)
        try:
            with open(path, "rb") as file:  # says so if missing, unreadable or a directory
                if not 0 < len(name.encode()) < 128 or os.fstat(file.fileno()).st_size >= 1 << 31:
                    raise OSError("too big, or its name is")
        except (OSError, ValueError) as error:
            self.client.show(f"Cannot send that: {error}")
            return
        self.offers.append(Transfer(peer, name, path))
        self.client.send(Kind.FILE_REQUEST, peer, name)

    def asked(self, peer, name):
        name = "".join(c if c.isprintable() else "_" for c in name.rpartition("/")[2])
        if name in ("", ".", "..") or len(name.encode()) > 127 or len(self.questions) > 50:
            self.client.send(Kind.FILE_REJECT, peer)
            return
        self.questions.append(Transfer(peer, name))
        if len(self.questions) == 1:
            self.ask()

    def question(self):
        return bool(self.questions)

    def ask(self):
        if self.questions:
            first = self.questions[0]
            self.client.show(f"{first.peer} has a file for you, {first.name}. Take it? [Yes/No]")

    def answer(self, word):
        if word in ("y", "yes"):
            self.start(self.receive(self.questions.pop(0)))
        elif word in ("n", "no"):
            transfer = self.questions.pop(0)
            self.client.send(Kind.FILE_REJECT, transfer.peer)
            self.client.show("As you like.")
        self.ask()

    def take_offer(self, peer):
        for transfer in self.offers:
            if transfer.peer == peer:
                self.offers.remove(transfer)
                return transfer
        return None

    def rejected(self, peer):
        if transfer := self.take_offer(peer):
            self.client.show(f"{peer} does not want {transfer.name}.")

    def accepted(self, peer, where):
        if transfer := self.take_offer(peer):
            self.client.show(f"{peer} takes {transfer.name}.")
            self.start(self.send(transfer, where))

    def called_off(self, peer):
        self.offers = [t for t in self.offers if t.peer != peer]
        self.questions = [t for t in self.questions if t.peer != peer]

    def renamed(self, before, after):
        for transfer in self.offers + self.questions:
            if transfer.peer == before:
                transfer.peer = after
                transfer.names.add(after)

    # -- sending ---------------------------------------------------------------------------

    async def send(self, transfer, where):
        try:
            host, _, port = where.rpartition(":")
            connecting = asyncio.open_connection(host.strip("[]"), int(port))
            reader, writer = await asyncio.wait_for(connecting, PATIENCE)
        except (OSError, ValueError, OverflowError, asyncio.TimeoutError) as error:
            self.client.show(f"{transfer.name} was not sent: {error!r}")
            return
        try:
            await self.send_file(transfer, writer)
            kind = (await asyncio.wait_for(read_header(reader), PATIENCE))[2]
            if kind != Kind.FILE_ACK:
                raise BadFrame("no acknowledgement")
            self.client.show(f"{transfer.peer} has got {transfer.name}.")
        except TROUBLE as error:
            self.client.show(f"{transfer.name} did not get through: {error!r}")
        finally:
            writer.transport.abort()

    async def send_file(self, transfer, writer):
        with open(transfer.path, "rb") as file:
            left = os.fstat(file.fileno()).st_size
            writer.write(pack_header(Kind.FILE_SEND, self.client.name, transfer.name, left))
            while left > 0:
                block = file.read(min(BLOCK, left))
                if not block:
                    raise OSError("the file shrank")
                left -= len(block)
                writer.write(block)
                await asyncio.wait_for(writer.drain(), PATIENCE)

    # -- receiving -------------------------------------------------------------------------

    async def receive(self, transfer):
        host = self.client.writer.get_extra_info("sockname")[0]
        found = asyncio.get_running_loop().create_future()

        async def visitor(reader, writer):
            """The first who names the agreed sender and file is the one."""
            try:
                size, sender, kind, name = await asyncio.wait_for(read_header(reader), PATIENCE)
                wanted = kind == Kind.FILE_SEND and name == transfer.name
                if wanted and sender in transfer.names and not found.done():
                    found.set_result((reader, writer, size))
                    return
            except (*TROUBLE, asyncio.CancelledError):
                pass
            writer.close()

        try:
            listener = await asyncio.start_server(visitor, host, 0)
        except OSError as error:
            self.client.show(f"Cannot receive {transfer.name}: {error}")
            self.client.send(Kind.FILE_REJECT, transfer.peer)
            return
        port = listener.sockets[0].getsockname()[1]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.client.send(Kind.FILE_ACCEPT, transfer.peer, where)
        self.client.show(f"Waiting for {transfer.name}...")
        try:
            reader, writer, size = await asyncio.wait_for(found, PATIENCE)
        except asyncio.TimeoutError:
            self.client.show(f"{transfer.peer} never sent {transfer.name}.")
            return
        finally:
            listener.close()
        try:
            path = await self.save(transfer, reader, size)
            writer.write(pack(Kind.FILE_ACK, self.client.name, transfer.name))
            self.client.show(f"{transfer.name} is here: {path}")
        except TROUBLE as error:
            self.client.show(f"{transfer.name} broke off: {error!r}")
        finally:
            writer.close()

    async def save(self, transfer, reader, size):
        descriptor, part = tempfile.mkstemp(prefix=".incoming-", dir=".")
        try:
            with open(descriptor, "wb") as file:
                while size > 0:
                    block = await asyncio.wait_for(reader.read(min(BLOCK, size)), PATIENCE)
                    if not block:
                        raise OSError(f"{size} bytes are missing")
                    size -= len(block)
                    file.write(block)
            return give_name(part, transfer)
        finally:
            os.unlink(part)


def give_name(part, transfer):
    """<name>, or received/<sender>_<name>, or that with a number: never over another file."""
    path, number = transfer.name, 0
    while True:
        try:
            os.link(part, path)
            return path
        except FileExistsError:
            os.makedirs("received", exist_ok=True)
            path = f"received/{transfer.peer}_{str(number) * (number > 0)}{transfer.name}"
            number += 1
