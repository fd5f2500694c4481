"""Milestone 5 on a terminal: two threads, one screen."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.terminal import start_server
from tests.terminal.test_screens import assert_sane
from tests.terminal.window import ROOT, Window, client_command

PROMPT = "Operation (PM, DM, WHO, EX, /help):"
AT_PROMPT = len(PROMPT) + 1


class Session:
    """A server, and windows with clients."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        command = ["python3", "-m", "milestone5_threads.server", "0"]
        self.server, self.port = start_server(command, ROOT)
        self.windows: list[Window] = []

    def window(self, *, columns: int = 80) -> Window:
        command = client_command("milestone5_threads", self.port)
        window = Window(command, self.tmp_path, columns=columns)
        self.windows.append(window)
        window.expect_text("User name (EX leaves):")
        return window

    def user(self, name: str) -> Window:
        window = self.window()
        window.type(f"{name}\r")
        window.expect("Password:", cursor=10)
        window.type("secret\r")
        window.expect(f"You are logged in as {name}.", PROMPT, cursor=AT_PROMPT)
        return window

    def close(self) -> None:
        for window in self.windows:
            window.close()
        if self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()
        assert self.server.stdout is not None
        self.server.stdout.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path)
    yield session
    session.close()


def test_message_above_half_a_line(session: Session) -> None:
    alice = session.user("alice")
    alice.type("PM half a")
    alice.expect(f"{PROMPT} PM half a", cursor=AT_PROMPT + 9)
    bob = session.user("bob")
    alice.expect("Active users: alice, bob", f"{PROMPT} PM half a", cursor=AT_PROMPT + 9)
    bob.type("DM alice interrupting\r")
    alice.expect("[bob to you] interrupting", f"{PROMPT} PM half a", cursor=AT_PROMPT + 9)
    alice.type(" line\r")
    bob.expect("[alice to all] half a line", PROMPT, cursor=AT_PROMPT)


def test_password_is_never_on_the_screen(session: Session) -> None:
    alice = session.window()
    alice.type("alice\rsecret\rPM x")  # typed ahead
    alice.expect("You are logged in as alice.", f"{PROMPT} PM x")
    assert b"secret" not in alice.output
    alice.type("\x15\x1b[A\x1b[A")
    alice.expect(f"{PROMPT} alice")
    assert b"secret" not in alice.output, "nor in the history"


def test_tab_and_typos(session: Session) -> None:
    session.user("bob")
    alice = session.user("alice")
    alice.type("D\tb\t")
    alice.expect(f"{PROMPT} DM bob", cursor=AT_PROMPT + 7)
    alice.type("\x15WOH\r")
    alice.expect("There is no operation WOH. /help lists them. (did you mean WHO?)", PROMPT)


def test_after_a_resize(session: Session) -> None:
    alice = session.user("alice")
    line = "PM " + "".join(f"{number:04}" for number in range(30))
    alice.type(line)
    alice.until(lambda: line[-10:] in alice.rows[-1], "the end of the line")
    alice.resize(200)
    alice.expect(f"{PROMPT} {line}", cursor=AT_PROMPT + len(line))


@pytest.mark.parametrize(
    ("keys", "status"), [("EX\r", 0), ("\x03", 0), ("\x04", 0), ("PM half a line\x03", 0)]
)
def test_leaving_leaves_the_terminal_sane(keys: str, status: int, session: Session) -> None:
    alice = session.user("alice")
    assert alice.mode != alice.mode_before
    alice.type(keys)
    assert alice.wait() == status
    assert_sane(alice)


@pytest.mark.parametrize("at", ["operation", "password"])
def test_lost_server_leaves_the_terminal_sane(at: str, session: Session) -> None:
    if at == "operation":
        window = session.user("alice")
        window.type("PM half a line")
    else:
        window = session.window()
        window.type("alice\rsecr")
        window.expect_text("Password:")
    os.killpg(session.server.pid, signal.SIGKILL)
    assert window.wait() == 1
    window.expect("The server has closed the connection.", "")
    assert_sane(window)


def test_stopped_and_continued(session: Session, tmp_path: Path) -> None:
    shell = Window(["bash", "--norc", "--noediting", "-i"], tmp_path, columns=160)
    session.windows.append(shell)
    shell.until(lambda: shell.rows[-1], "the shell")
    before = shell.mode
    shell.type(subprocess.list2cmdline(client_command("milestone5_threads", session.port)) + "\r")
    shell.expect("User name (EX leaves):", cursor=23)
    shell.type("ali")
    shell.expect("User name (EX leaves): ali", cursor=26)
    shell.type("\x1a")
    shell.expect_text("Stopped")
    shell.until(lambda: shell.mode == before, "the terminal's usual mode")
    shell.type("fg\r")
    shell.expect("User name (EX leaves): ali", cursor=26)
    shell.type("ce\r")
    shell.expect("User name (EX leaves): alice", "Password:", cursor=10)
