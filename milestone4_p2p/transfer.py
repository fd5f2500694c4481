"""One file on its way, straight from one client to another: the sending and the receiving end.

Both ends are driven by the client's `poll()` loop and never wait: they are called when their
socket is ready, move a piece of the file, and return, so that chat and other transfers go on.

What travels on the direct connection:

    sender                                          receiver
      | ---- connects to the address in FILE_ACCEPT ---> |  listens until then, not longer
      | ---- FILE_SEND: name, size, the file's bytes --> |  writes to a temporary file
      | <--- FILE_ACK -- it has its final name --------- |  or FILE_REJECT with the reason
      | ---- closes -----------------------------------> |
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from common import addresses, poller
from common.errors import UserError
from common.framing import (
    HEADER_SIZE,
    NEED_MORE,
    Decoder,
    Header,
    Message,
    MessageType,
    ProtocolError,
    decode_header,
    encode,
    encode_header,
)
from milestone4_p2p.inbox import IncomingFile, safe_name

STALL: Final = 30.0
"""Seconds without a byte after which a transfer has failed."""
LINGER: Final = 2.0
"""Seconds given to the sender to read our verdict and close."""
_PIECE: Final = 1024 * 1024
"""Most bytes moved before the chat has its turn."""
_MOST_CANDIDATES: Final = 16
"""Most connections to a receiver that have not said yet what they want."""


class Loop(Protocol):
    """What a transfer needs of its client: to be called when a descriptor is ready."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...
    def unwatch(self, fd: int) -> None: ...


class Transfer:
    """What both ends have in common: whose file it is, how far it is, and how it ends."""

    def __init__(self, loop: Loop, peer: str, name: str, stall: float) -> None:
        self.loop = loop
        self.peer = peer
        self.name = name
        self.size = 0
        self.done = 0  # bytes
        self.started = time.monotonic()
        self.stall = stall
        self.deadline = self.started + stall
        self.over = False  # success or failure was reported
        self.closed = False  # nothing is left to do, no descriptor is open
        self.on_end: Callable[[str | None], None] = lambda _reason: None

    def progressed(self, count: int) -> None:
        """Note that `count` bytes moved: the transfer does not stall."""
        self.done += count
        self.deadline = time.monotonic() + self.stall

    def end(self, reason: str | None) -> None:
        """Report success (None) or why it failed, once (4.5)."""
        if not self.over:
            self.over = True
            self.on_end(reason)

    def late(self) -> None:
        """The deadline has passed."""
        self.fail(f"nothing moved for {self.stall:g} seconds")

    def fail(self, reason: str) -> None:
        """End without success, and leave nothing behind."""
        self.close()
        self.end(reason)

    def close(self) -> None:
        """Close every descriptor and remove what is incomplete. May be called again."""
        raise NotImplementedError


class Sending(Transfer):
    """The end that has the file: connects, sends, and waits for the acknowledgement (4.1, 4.3)."""

    def __init__(
        self, loop: Loop, peer: str, own_name: str, name: str, file: int, stall: float = STALL
    ) -> None:
        """Take over the open descriptor `file`. `start` begins."""
        super().__init__(loop, peer, name, stall)
        self.own_name = own_name
        self._file = file
        self._sock: socket.socket | None = None
        self.connected = False
        self._head = b""  # what is left of the header
        self._unsent = 0  # bytes in the kernel when we last looked
        self._decoder = Decoder(strict=False)

    def start(self, address: str) -> None:
        """Connect to `addr:port`, as the receiver said it (4.3)."""
        try:
            self.size = os.fstat(self._file).st_size
            self._head = encode_header(
                Header(self.size, self.own_name, MessageType.FILE_SEND, self.name)
            )
            host, port = addresses.parse_address(address)
            family, where = numeric_address(host, port)
            self._sock = socket.socket(family, socket.SOCK_STREAM)
            self._sock.setblocking(False)
            code = self._sock.connect_ex(where)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
        except (OSError, UserError, ValueError) as error:
            self.fail(f"cannot connect to {address}: {describe(error)}")
            return
        self.loop.watch(self._sock.fileno(), poller.WRITE, self._ready)

    def late(self) -> None:
        """Give up, unless the kernel still gets rid of what we gave it: a slow line is no stall."""
        unsent = self._count_unsent()
        if 0 < unsent < self._unsent or (unsent and not self._unsent):
            self.progressed(0)
        else:
            super().late()
        self._unsent = unsent

    def close(self) -> None:
        """Close file and connection."""
        if self._sock is not None:
            self.loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self.closed = True

    def _ready(self, events: int) -> None:
        assert self._sock is not None
        if not self.connected:
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.fail(f"cannot connect to {self.peer}: {os.strerror(code).lower()}")
                return
            self.connected = True
            self.loop.watch(self._sock.fileno(), poller.READ | poller.WRITE, self._ready)
        if events & ~poller.WRITE:
            self._read_verdict()
        elif events & poller.WRITE:
            self._send()

    def _send(self) -> None:
        """Send the next piece: the kernel copies it from the file, we never see it (4.1)."""
        assert self._sock is not None
        try:
            if self._head:
                self._head = self._head[self._sock.send(self._head) :]
                self.progressed(0)
            elif self.done < self.size:
                most = min(_PIECE, self.size - self.done)
                count = os.sendfile(self._sock.fileno(), self._file, self.done, most)
                if count == 0:
                    self.fail("the file became shorter while it was sent")
                    return
                self.progressed(count)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(f"{self.peer} is gone: {describe(error)}")
            return
        if not self._head and self.done == self.size:
            self.loop.watch(self._sock.fileno(), poller.READ, self._ready)

    def _read_verdict(self) -> None:
        """Read the acknowledgement, or why there will be none (4.5)."""
        assert self._sock is not None
        try:
            data = self._sock.recv(HEADER_SIZE)
            self._decoder.receive_data(data)
            message = self._decoder.next_message()
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(f"{self.peer} is gone: {describe(error)}")
            return
        except ProtocolError as error:
            self.fail(f"{self.peer} sent nonsense: {error}")
            return
        if message is not NEED_MORE:
            assert isinstance(message, Message)
            self._judge(message)
        elif not data:
            self.fail(f"{self.peer} closed the connection before the file was confirmed")

    def _judge(self, verdict: Message) -> None:
        if verdict.type == MessageType.FILE_ACK and self.done == self.size and not self._head:
            self.close()
            self.end(None)
        elif verdict.type == MessageType.FILE_REJECT:
            self.fail(verdict.text or f"{self.peer} did not take it")
        else:
            self.fail(f"{self.peer} answered before the file was complete")

    def _count_unsent(self) -> int:
        """Return the bytes that the kernel took from us and the other side did not yet."""
        if self._sock is None:
            return 0
        try:
            answer = fcntl.ioctl(self._sock, termios.TIOCOUTQ, b"\0\0\0\0")
        except OSError:  # not every system tells
            return 0
        return int(struct.unpack("i", answer)[0])


class Receiving(Transfer):
    """The end that wants the file: listens, finds the right sender, writes (4.2, 4.3).

    Anybody may connect to an open port. So the header of everybody who does is read, without
    waiting for anybody; the first FILE_SEND that names the agreed sender and file wins, and then
    nobody listens any more.
    """

    def __init__(
        self,
        loop: Loop,
        peer: str,
        own_name: str,
        name: str,
        local: tuple[str, Path],
        stall: float = STALL,
    ) -> None:
        """Listen on the first of `local`, an address of ours; save into the second, a folder.

        Raises OSError or UserError.
        """
        super().__init__(loop, peer, name, stall)
        self.own_name = own_name
        self.known_as = {peer}  # the sender's names since the request
        ip, folder = local
        self._file: IncomingFile | None = IncomingFile(folder, name)
        self._listeners: list[socket.socket] = []
        self._candidates: dict[int, tuple[socket.socket, bytearray]] = {}
        self._sock: socket.socket | None = None
        self._buffer = memoryview(b"")
        self.saved_as = Path()
        try:
            self._listeners = addresses.listen(ip, 0)
        except UserError:
            self.close()
            raise
        for listener in self._listeners:
            loop.watch(listener.fileno(), poller.READ, self._accept)
        self.address = addresses.format_address(ip, self._listeners[0].getsockname()[1])

    @property
    def waits(self) -> bool:
        """Say whether the sender has not connected yet."""
        return bool(self._listeners)

    def late(self) -> None:
        """Give up; a verdict that was sent but not read is no failure."""
        if self.over:
            self.close()
        elif self._sock is None:
            self.fail(f"{self.peer} did not connect within {self.stall:g} seconds")
        else:
            self._refuse(f"nothing came for {self.stall:g} seconds")

    def close(self) -> None:
        """Close file, listener and connections; remove an incomplete file."""
        self._stop_listening()
        if self._sock is not None:
            self.loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = None
        if self._file is not None:
            self._file.discard()
            self._file = None
        self.closed = True

    # Finding the sender

    def _accept(self, _events: int) -> None:
        for listener in self._listeners:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno == errno.ECONNABORTED:
                    continue
                self.fail(f"cannot take the connection: {describe(error)}")
                return
            sock.setblocking(False)
            if len(self._candidates) == _MOST_CANDIDATES:
                self._dismiss(next(iter(self._candidates)))  # the one that is silent for longest
            fd = sock.fileno()
            self._candidates[fd] = (sock, bytearray())
            self.loop.watch(fd, poller.READ, lambda _events, fd=fd: self._read_header(fd))  # type: ignore[misc]

    def _read_header(self, fd: int) -> None:
        """Read on in a candidate's header, and not one byte further."""
        sock, head = self._candidates[fd]
        try:
            data = sock.recv(HEADER_SIZE - len(head))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        head += data
        if not data:
            self._dismiss(fd)
        elif len(head) == HEADER_SIZE:
            header = decode_header(head)
            if self.is_agreed(header):
                self._choose(fd, header)
            else:
                self._dismiss(fd)

    def is_agreed(self, header: Header) -> bool:
        """Say whether a connection brings the file that the user said yes to (4.1, 4.2)."""
        return (
            header.type == MessageType.FILE_SEND
            and header.nick_sender.strip() in self.known_as
            and safe_name(header.infos) == safe_name(self.name)
            and header.pld_len >= 0
        )

    def _choose(self, fd: int, header: Header) -> None:
        self._sock, _ = self._candidates.pop(fd)
        self._stop_listening()
        self.size = header.pld_len
        self.progressed(0)
        self._buffer = memoryview(bytearray(min(_PIECE, max(1, self.size))))
        self.loop.watch(fd, poller.READ, self._ready)
        if self.size == 0:
            self._save()

    def _dismiss(self, fd: int) -> None:
        self.loop.unwatch(fd)
        self._candidates.pop(fd)[0].close()

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            self.loop.unwatch(listener.fileno())
            listener.close()
        self._listeners.clear()
        for fd in list(self._candidates):
            self._dismiss(fd)

    # Taking the file

    def _ready(self, _events: int) -> None:
        if self.over:
            self._wait_for_end()
        else:
            self._receive()

    def _receive(self) -> None:
        """Take what has come and write it (4.1)."""
        assert self._sock is not None and self._file is not None
        try:
            count = self._sock.recv_into(self._buffer[: self.size - self.done])
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(f"{self.peer} is gone: {describe(error)}")
            return
        if count == 0:
            self.fail(f"{self.peer} ended after {self.done} of {self.size} bytes")
            return
        try:
            self._file.write(self._buffer[:count])
        except OSError as error:
            self._refuse(f"cannot write: {describe(error)}")
            return
        self.progressed(count)
        if self.done == self.size:
            self._save()

    def _save(self) -> None:
        """Give the file its final name, then acknowledge it (4.1, 4.5)."""
        assert self._file is not None
        try:
            self.saved_as = self._file.save()
        except OSError as error:
            self._refuse(f"cannot save: {describe(error)}")
            return
        self._file = None
        self._send_verdict(Message(MessageType.FILE_ACK, self.own_name, self.name))
        self.end(None)

    def _refuse(self, reason: str) -> None:
        """Fail for a reason of ours, and tell the sender (4.5)."""
        if self._file is not None:
            self._file.discard()
            self._file = None
        self._send_verdict(
            Message(MessageType.FILE_REJECT, self.own_name, self.name, reason.encode())
        )
        self.end(reason)

    def _send_verdict(self, verdict: Message) -> None:
        """Say how it ended and end our direction; the sender reads it and closes."""
        assert self._sock is not None
        self.deadline = time.monotonic() + LINGER
        try:
            self._sock.send(encode(verdict))  # the first bytes we send: there is room for them
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _wait_for_end(self) -> None:
        # To close while bytes lie unread would reset the connection, and destroy the verdict.
        assert self._sock is not None
        try:
            if self._sock.recv_into(self._buffer):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()


def numeric_address(host: str, port: int) -> tuple[int, tuple[str, int]]:
    """Return family and socket address of a literal address; a name would have to be looked up,
    and a look-up waits. Raises UserError."""
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (socket.gaierror, UnicodeError):
        raise UserError(f"{host!r} is not an IP address") from None
    family, _, _, _, address = found[0]
    return int(family), address  # type: ignore[return-value]


def describe(error: Exception) -> str:
    """Return why something failed, in a few words."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error)
