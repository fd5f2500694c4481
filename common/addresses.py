"""Addresses: from what a user types to connected and listening sockets, IPv4 and IPv6 alike.

A host name may stand for several addresses of both families. Whoever connects tries one after
the other; whoever listens takes them all. No other file calls `getaddrinfo` (requirement N.A).
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from common.errors import USAGE, UserError

BACKLOG: Final = 1024
"""Connections that the kernel keeps for a listener until the program accepts them."""
_IPV4_MAPPED: Final = "::ffff:"


def parse_port(text: str) -> int:
    """Return the port number in `text`, 0 to 65535. Raises UserError (1.1, 1.2)."""
    # int() alone would also take "+80", " 80" and "8_0".
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > 65535:
        raise UserError(f"invalid port {text!r}: a number from 0 to 65535 is needed", USAGE)
    return int(text)


def listen(host: str | None, port: int) -> list[socket.socket]:
    """Return non-blocking listening sockets for every address of `host` (1.2).

    Without a host: all addresses of this machine, IPv6 and IPv4 in one socket where the system
    can do that. Port 0 stands for any free port, the same for all sockets. Raises UserError.
    """
    if not host:
        return [_listen_everywhere(port)]
    listeners: list[socket.socket] = []
    try:
        for family, address in _resolve(host, port, passive=True):
            # With port 0 the system chose a port for the first socket; the others join it.
            wanted = port or (listeners[0].getsockname()[1] if listeners else 0)
            listeners.append(_listen_on(family, (address[0], wanted, *address[2:])))
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise _cannot_listen(host, port, error) from None
    return listeners


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """Return a blocking socket connected to the first address of `host` that answers (1.1).

    `timeout` seconds are given to each address. Raises UserError.
    """
    if port == 0:
        raise UserError("invalid port 0: the port that the server listens on is needed", USAGE)
    failure: OSError | None = None
    for family, address in _resolve(host, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.settimeout(None)
            return sock
    why = "no answer" if isinstance(failure, TimeoutError) else _reason(failure)
    raise UserError(f"cannot connect to {format_address(host, port)}: {why}")


def plain_ip(ip: str) -> str:
    """Return `ip` as people know it: an IPv4 peer of an IPv6 socket looks like ::ffff:127.0.0.1."""
    return ip[len(_IPV4_MAPPED) :] if ip.startswith(_IPV4_MAPPED) and "." in ip else ip


def format_address(ip: str, port: int) -> str:
    """Return `addr:port`, and `[addr]:port` where the address itself has colons."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `addr:port` or `[addr]:port`. Raises UserError."""
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""  # an IPv6 address without brackets: where would its port begin?
    if not colon or not host:
        raise UserError(f"invalid address {text!r}: addr:port or [addr]:port is needed")
    return host, parse_port(port)


_Address = tuple[str, int] | tuple[str, int, int, int]


def _resolve(host: str, port: int, *, passive: bool = False) -> list[tuple[int, _Address]]:
    flags = socket.AI_PASSIVE if passive else 0
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except (socket.gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        raise UserError(f"unknown host {host!r}: {why}") from None
    # dict: each address once, in the order in which the resolver prefers them.
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))  # type: ignore[misc]


def _listen_everywhere(port: int) -> socket.socket:
    try:
        return _listen_on(socket.AF_INET6, ("::", port), dual_stack=True)
    except OSError as error:
        # A machine without IPv6 still has IPv4; an occupied port is occupied for both.
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise _cannot_listen(None, port, error) from None
    try:
        return _listen_on(socket.AF_INET, ("0.0.0.0", port))
    except OSError as error:
        raise _cannot_listen(None, port, error) from None


def _listen_on(
    family: int, address: tuple[object, ...], *, dual_stack: bool = False
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it, a restarted server would wait a minute for the old connections' TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual_stack else 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(host: str | None, port: int, error: OSError) -> UserError:
    where = f"port {port}" if host is None else format_address(host, port)
    advice = {
        errno.EADDRINUSE: "another program listens there; choose another port",
        errno.EACCES: "ports below 1024 need privileges; choose a higher port",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
    }.get(error.errno or 0, _reason(error))
    return UserError(f"cannot listen on {where}: {advice}")


def _reason(error: OSError | None) -> str:
    if error is None:
        return "no address"
    return os.strerror(error.errno).lower() if error.errno else str(error)
