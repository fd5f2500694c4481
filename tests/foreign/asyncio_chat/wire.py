"""The course's message: 264 bytes of header, then the payload."""

import enum
import struct

HEADER = struct.Struct("<i128si128s")
MAX_PAYLOAD = 200_000


class Kind(enum.IntEnum):
    NICKNAME_NEW = 0
    NICKNAME_LIST = 1
    NICKNAME_INFOS = 2
    ECHO_SEND = 3
    UNICAST_SEND = 4
    BROADCAST_SEND = 5
    MULTICAST_CREATE = 6
    MULTICAST_LIST = 7
    MULTICAST_JOIN = 8
    MULTICAST_SEND = 9
    MULTICAST_QUIT = 10
    FILE_REQUEST = 11
    FILE_ACCEPT = 12
    FILE_REJECT = 13
    FILE_SEND = 14
    FILE_ACK = 15


class BadFrame(Exception):
    pass


def field(raw):
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def pack_header(kind, sender="", infos="", length=0):
    return HEADER.pack(length, sender.encode()[:127], kind, infos.encode()[:127])


def pack(kind, sender="", infos="", payload=b""):
    if isinstance(payload, str):
        payload = payload.encode()
    return pack_header(kind, sender, infos, len(payload)) + payload


async def read_header(reader):
    """(length, sender, kind, infos); IncompleteReadError when the other side has gone."""
    length, sender, kind, infos = HEADER.unpack(await reader.readexactly(HEADER.size))
    if length < 0:
        raise BadFrame(f"a length of {length}")
    return length, field(sender), kind, field(infos)


async def read_message(reader):
    """(sender, kind, infos, payload)."""
    length, sender, kind, infos = await read_header(reader)
    if length > MAX_PAYLOAD:
        raise BadFrame(f"a length of {length}")
    return sender, kind, infos, await reader.readexactly(length)
