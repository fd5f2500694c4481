"""Stops in the middle of a frame: each client gets a header that promises 100 bytes, a few of them,
and then nothing more, whatever it says."""

import struct

import base


def begin(connection):
    header = struct.pack("<i128si128s", 100, b"Server", 3, b"")
    connection.sendall(header + b"please log ")
    base.read_until_closed(connection)


base.limit_lifetime()
base.serve(begin)
