"""Sends 1 GiB to every client, as fast as it is taken, then closes."""

import base

BLOCK = b"all work and no play makes jack a dull boy\n" * 1525


def flood(connection):
    with connection:
        try:
            for _ in range(1024**3 // len(BLOCK)):
                connection.sendall(BLOCK)
        except OSError:
            pass


base.limit_lifetime()
base.serve(flood)
