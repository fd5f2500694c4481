"""Sends whatever anybody says to everybody, the one who said it included, byte for byte."""

import contextlib

import base

everybody = []


def relay(connection):
    everybody.append(connection)
    try:
        while data := connection.recv(65536):
            for other in list(everybody):
                send(other, data)
    except OSError:
        pass
    everybody.remove(connection)
    connection.close()


def send(connection, data):
    with contextlib.suppress(OSError):
        connection.sendall(data)


base.limit_lifetime()
base.serve(relay)
