"""Threaded chat server, JSON objects back to back. Refusals are `confirmation`s like any other."""

import contextlib
import hashlib
import hmac
import os
import socket
import sys
import threading
import time

from stream import Malformed, encode, objects

MAX_WAITING = 5_000_000  # bytes that a slow reader may leave unread before we let go of it

lock = threading.Lock()  # guards accounts and online; nobody sends while holding it
accounts = {}  # user name -> (salt, digest)
online = {}  # user name -> Session


def digest_of(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "replace"), salt, 20_000)


def put_list_for_all():
    """To be called with the lock held, so that everybody gets the lists in the same order."""
    for session in online.values():
        session.put({"type": "update_users", "users": sorted(online)})


class Session:
    """Two threads: one reads and handles, the other writes what waits in the outbox."""

    def __init__(self, sock):
        self.sock = sock
        self.name = None
        self.outbox = bytearray()
        self.ended = False
        self.changed = threading.Condition()  # guards outbox and ended

    def put(self, value):
        with self.changed:
            self.outbox += encode(value)
            self.changed.notify()
            if len(self.outbox) > MAX_WAITING:
                self.hang_up()

    def confirm(self, text):
        self.put({"type": "confirmation", "message": text})

    def hang_up(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def write(self):
        try:
            while data := self.take():
                self.sock.sendall(data)
        except OSError:
            pass

    def take(self):
        """All that waits; nothing when the session has ended."""
        with self.changed:
            self.changed.wait_for(lambda: self.outbox or self.ended)
            data = bytes(self.outbox)
            self.outbox.clear()
            return data

    def end(self):
        with lock:
            if self.name is not None:
                del online[self.name]
                put_list_for_all()
        with self.changed:
            self.ended = True
            self.changed.notify()

    def run(self):
        writer = threading.Thread(target=self.write, daemon=True)
        writer.start()
        try:
            for value in objects(self.sock):
                if not self.handle(value):
                    break
        except Malformed as error:
            self.confirm(f"I do not understand: {error}")
            time.sleep(0.1)  # let it out
        except OSError:
            pass
        finally:
            self.end()
            self.hang_up()
            writer.join()
            self.sock.close()

    def handle(self, value):
        """False to end the session."""
        command = value.get("command")
        command = command.upper() if isinstance(command, str) else ""
        if command == "EX":
            return False
        if command == "LOGIN":
            self.log_in(value.get("username"), value.get("password"))
        elif self.name is None:
            self.confirm("Log in first.")
        elif command == "WHO":
            with lock:
                self.put({"type": "active_users", "users": sorted(online)})
        elif command in ("PM", "DM") and isinstance(value.get("message"), str):
            deliver = self.public if command == "PM" else self.direct
            deliver(value["message"], value.get("to"))
        else:
            self.confirm("That makes no sense to me.")
        return True

    def log_in(self, name, password):
        if self.name is not None:
            self.confirm(f"You are {self.name} already.")
        elif not isinstance(name, str) or not name.isalnum() or len(name) > 30:
            self.confirm("Login refused: a user name is made of letters and digits.")
        elif not isinstance(password, str) or not 0 < len(password) < 200:
            self.confirm("Login refused: a password is needed.")
        else:
            self.check_password(name, password)

    def check_password(self, name, password):
        with lock:
            salt, _ = accounts.get(name) or (os.urandom(16), None)
        digest = digest_of(password, salt)  # slow: not under the lock
        with lock:
            known = accounts.setdefault(name, (salt, digest))
            if not hmac.compare_digest(known[1], digest):
                self.confirm("Login refused: wrong password.")
            elif name in online:
                self.confirm(f"Login refused: {name} is logged in already.")
            else:
                self.name = name
                online[name] = self
                put_list_for_all()

    def public(self, text, _):
        with lock:
            others = [session for session in online.values() if session is not self]
            for session in others:
                session.put({"type": "broadcast", "from": self.name, "message": text})
        self.confirm(f"Told to {len(others)} people.")

    def direct(self, text, to):
        with lock:
            session = online.get(to) if isinstance(to, str) else None
            if session is not None:
                session.put({"type": "direct_message", "from": self.name, "message": text})
        self.confirm("Delivered." if session else "There is no such user online.")


def main(port):
    listener = socket.create_server(("", port), backlog=100)
    print("serving on port", port, flush=True)
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.1)  # no descriptor left
            continue
        threading.Thread(target=Session(sock).run, daemon=True).start()


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (IndexError, ValueError, OverflowError):
        sys.exit("usage: server.py PORT")
    except OSError as error:
        sys.exit(f"cannot listen: {error}")
    except KeyboardInterrupt:
        print("stopping")
