"""What the hostile programs in Python share: an ordinary but mute program around the one fault.

Started with one argument it is a server on that port, with two a client of that host and port.
Whatever happens, SIGALRM ends it after fifteen minutes, so that a grader's mistake does not stay.
"""

import os
import select
import signal
import socket
import sys
import threading

LIFETIME = 900


def limit_lifetime():
    """Not inherited by fork(): a child calls it again."""
    signal.alarm(LIFETIME)


def is_server():
    return len(sys.argv) == 2


def listen(port=None, backlog=64):
    return socket.create_server(("", int(sys.argv[1]) if port is None else port), backlog=backlog)


def connect():
    return socket.create_connection((sys.argv[1], int(sys.argv[2])))


def read_until_closed(connection):
    with connection:
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass


def serve(handle, listener=None):
    """Call `handle(connection)` in a thread for every client."""
    listener = listener or listen()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def be_mute():
    """Accept and read, never answer; as a client read keyboard and socket, never show anything."""
    if is_server():
        serve(read_until_closed)
    connection = connect()
    sources = [connection, 0]
    while connection in sources:
        for source in select.select(sources, [], [])[0]:
            data = os.read(0, 65536) if source == 0 else connection.recv(65536)
            if not data:
                sources.remove(source)
            elif source == 0:
                connection.sendall(data)
