"""Chat client on JSON: this thread asks and types, the other listens and shows."""

import getpass
import queue
import signal
import socket
import sys
import threading

from stream import Malformed, encode, objects


class ServerDown(Exception):
    pass


def text_of(value):
    return value if isinstance(value, str) else "?"


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None
        self.logged_in = False
        self.leaving = False
        self.login_answers = queue.Queue()  # True, or the reason of a refusal

    # -- the listening thread ----------------------------------------------------------------

    def listen(self):
        try:
            for value in objects(self.sock):
                self.show(value)
        except (OSError, Malformed):
            pass
        if not self.leaving:
            # interrupts input() wherever the main thread is
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    def show(self, value):
        kind, text = value.get("type"), text_of(value.get("message"))
        sender = text_of(value.get("from"))
        if kind in ("update_users", "active_users"):
            self.show_users(value.get("users"))
        elif kind == "broadcast":
            print(f"\n<{sender} to all> {text}", flush=True)
        elif kind == "direct_message":
            print(f"\n<{sender} to you> {text}", flush=True)
        elif not self.logged_in:
            self.login_answers.put(text)
        else:
            print(f"\n({text})", flush=True)

    def show_users(self, users):
        names = [text_of(user) for user in users] if isinstance(users, list) else []
        print("\nOnline:", ", ".join(names), flush=True)
        if not self.logged_in and self.name in names:
            self.logged_in = True
            self.login_answers.put(True)

    # -- the main thread ---------------------------------------------------------------------

    def send(self, **value):
        self.sock.sendall(encode(value))

    def log_in(self):
        while not self.logged_in:
            self.name = input("User name: ")
            password = getpass.getpass("Password for " + self.name + ": ")
            self.send(command="login", username=self.name, password=password)
            answer = self.login_answers.get()
            if answer is not True:
                print(answer, flush=True)

    def operate(self):
        while True:
            operation = input("Operation (PM, DM, WHO, EX)? ").strip().upper()
            if operation == "PM":
                self.send(command="PM", message=input("Text for all: "))
            elif operation == "DM":
                to = input("To whom: ").strip()
                self.send(command="DM", to=to, message=input("Text: "))
            elif operation == "WHO":
                self.send(command="WHO")
            elif operation == "EX":
                return
            elif operation:
                print("There is no", operation, flush=True)

    def stop_waiting(self, *_):
        if not self.leaving:
            raise ServerDown

    def run(self):
        """The exit status."""
        signal.signal(signal.SIGUSR1, self.stop_waiting)
        threading.Thread(target=self.listen, daemon=True).start()
        try:
            try:
                self.log_in()
                self.operate()
            except EOFError:
                pass
            self.leaving = True
            self.send(command="EX")
        except (ServerDown, OSError):
            print("\nThe server went down.", flush=True)
            return 1
        except KeyboardInterrupt:
            return 130
        print("Bye.")
        return 0


if __name__ == "__main__":
    sys.stdin.reconfigure(errors="replace")
    sys.stdout.reconfigure(errors="replace")
    try:
        host, port = sys.argv[1], int(sys.argv[2])
    except (IndexError, ValueError):
        sys.exit("usage: client.py HOST PORT")
    try:
        connection = socket.create_connection((host, port))
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot connect: {error}")
    sys.exit(Client(connection).run())
