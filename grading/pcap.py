"""A failed check's conversation as a capture that Wireshark and tshark open.

The bytes are those that the actors' sockets, or a relay, sent and received; addresses, and the
headers of IP and TCP around them, are made up: 10.0.0.1 is the server, the others follow in the
order of their coming. docs/chat.lua shows the frames in them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from .model import Record, Result

RAW_IP = 101  # the link type without a link layer
SNAPLEN = 65535
SERVER = "server"
FIRST_PORT = 8080
"""Milestone 2 speaks on port 8082, and so on: docs/chat.lua goes by that."""
SYN, ACK, PUSH = 0x02, 0x10, 0x08


def write(result: Result, path: Path) -> None:
    """Write the first failed check in which bytes were seen; an empty capture where there is
    none. Raises OSError."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, RAW_IP)
    for one in result.requirements:
        for check in one.failures:
            if any(event.get("data") for event in check.get("events", [])):
                path.write_bytes(header + b"".join(packets(check, FIRST_PORT + one.milestone)))
                return
    path.write_bytes(header)


def packets(check: Record, port: int) -> Iterator[bytes]:
    """The packets of a check, one for each event, with a handshake before the first of a pair."""
    hosts = {SERVER: 1}
    sequence: dict[tuple[str, str], int] = {}
    for event in check["events"]:
        if not event.get("data"):
            continue
        actor, peer = str(event["actor"]), str(event.get("peer") or SERVER)
        for name in (actor, peer):
            hosts.setdefault(name, len(hosts) + 1)
        ends = (actor, peer) if event["kind"] == "sends" else (peer, actor)
        client, at = (actor, peer), float(event["at"])
        if client not in sequence:
            for here, there, flags in ((actor, peer, SYN), (peer, actor, SYN | ACK)):
                yield packet(at, hosts, (here, there), client, port, (0, flags // ACK), flags)
            sequence[client] = sequence[client[::-1]] = 1
            yield packet(at, hosts, client, client, port, (1, 1), ACK)
        numbers = sequence[ends], sequence[ends[::-1]]
        data, size = bytes.fromhex(event["data"]), int(event["size"])
        yield packet(at, hosts, ends, client, port, numbers, PUSH | ACK, data, size)
        sequence[ends] += size


def packet(
    at: float,
    hosts: dict[str, int],
    ends: tuple[str, str],
    client: tuple[str, str],
    port: int,
    numbers: tuple[int, int],
    flags: int,
    data: bytes = b"",
    size: int = 0,
) -> bytes:
    """One packet from `ends[0]` to `ends[1]`: record header, IPv4, TCP, and of the `size` bytes
    that were sent those which are known."""
    ports = [port if name == client[1] else 50000 + hosts[name] for name in ends]
    size = min(size, 65535 - 40)
    length = 40 + size
    ip = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0x4000, 64, 6, 0)
    ip += b"".join(bytes((10, 0, 0, hosts[name] % 256)) for name in ends)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    sent, seen = (number % 2**32 for number in numbers)
    tcp = struct.pack(">HHIIBBHHH", *ports, sent, seen, 0x50, flags, 65535, 0, 0)
    known = (ip + tcp + data)[:length]
    seconds, micros = divmod(int(at * 1_000_000), 1_000_000)
    return struct.pack("<IIII", seconds, micros, len(known), length) + known


def checksum(header: bytes) -> int:
    """The Internet checksum (RFC 1071) of a header whose own field is zero."""
    total: int = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
