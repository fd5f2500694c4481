"""Milestones 2 to 4 on a terminal: what comes in never breaks the line that is being typed."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from common.framing import Message, MessageType, encode
from tests.end_to_end.support import PACKAGES, Chat, Wire, chat
from tests.terminal.window import DOWN, END, HOME, LEFT, ROOT, UP, Window, client_command


class Open(Protocol):
    def __call__(self, chat: Chat, who: str, *options: str, **env: str) -> Window: ...


@pytest.fixture
def window() -> Iterator[Open]:
    """Opens a window with a client in it, logged in."""
    opened = []

    def open_window(chat: Chat, who: str, *options: str, **env: str) -> Window:
        command = client_command(PACKAGES[chat.milestone], chat.server.port, *options)
        window = Window(command, chat.directory(who), env=env)
        opened.append(window)
        window.expect("[Server] : please login with /nick <your pseudo>", ">", cursor=2)
        window.type(f"/nick {who}\r")
        window.expect(f"> /nick {who}", f"[Server] : Welcome on the chat {who}", f"{who}>")
        return window

    yield open_window
    for each in opened:
        each.close()


def in_room(chat: Chat, window: Open) -> tuple[Window, Wire]:
    """Alice, in a window, and bob, who speaks frames, both in the room tea."""
    alice, bob = window(chat, "alice"), chat.wire("bob")
    alice.type("/create tea\r")
    alice.expect("[Server] : You have created channel tea", "alice[tea]>", cursor=12)
    bob.send(MessageType.MULTICAST_JOIN, "tea")
    bob.expect("You have joined tea")
    alice.expect("INFO> bob has joined tea", "alice[tea]>", cursor=12)
    return alice, bob


def say(bob: Wire, text: str) -> None:
    bob.send(MessageType.MULTICAST_SEND, "tea", text.encode())


@pytest.mark.parametrize("milestone", [2, 3, 4])
def test_message_above_half_a_line(milestone: int, tmp_path: Path, window: Open) -> None:
    with chat(milestone, tmp_path) as running:
        alice, bob = window(running, "alice"), window(running, "bob")
        alice.type("/msg bob half a")
        alice.expect("alice> /msg bob half a", cursor=22)
        bob.type("/msg alice interrupting\r")
        alice.expect("[bob] : interrupting", "alice> /msg bob half a", cursor=22)
        alice.type(" line\r")
        alice.expect("[bob] : interrupting", "alice> /msg bob half a line", "alice>", cursor=7)
        bob.expect("bob> /msg alice interrupting", "[alice] : half a line", "bob>", cursor=5)


def test_line_of_200_characters_in_80_columns(tmp_path: Path, window: Open) -> None:
    line = "".join(f"{number:04}" for number in range(50))
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        alice.type(line[:150])
        end = r"alice\[tea\]> <\d{30,}" + line[140:150]
        alice.expect_like(end)
        say(bob, "interrupting")
        alice.expect_like(r"\[bob\] : interrupting", end)
        alice.type(HOME)
        alice.expect_like(r"\[bob\] : interrupting", r"alice\[tea\]> 0000\d{61}>", cursor=12)
        alice.type(END + line[150:] + "\r")
        assert bob.expect(line).text == line
        whole = f"alice[tea]> {line}"
        alice.expect(
            "[bob] : interrupting", whole[:80], whole[80:160], whole[160:], "alice[tea]>", cursor=12
        )


def test_wide_characters_and_accents(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        alice.type("日本 e\u0301t")
        alice.expect("alice[tea]> 日本 e\u0301t".replace("e\u0301", "é"), cursor=12 + 7)
        say(bob, "中断")
        alice.expect("[bob] : 中断", "alice[tea]> 日本 ét", cursor=12 + 7)
        alice.type(LEFT * 4)  # the accent is no step of its own
        alice.expect("alice[tea]> 日本 ét", cursor=12 + 2)
        alice.type("\x7f今")
        alice.expect("alice[tea]> 今本 ét", cursor=12 + 2)
        alice.type("\r")
        assert bob.expect("今").text == "今本 e\u0301t"
        alice.expect("alice[tea]> 今本 ét", "alice[tea]>", cursor=12)
        alice.type("語" * 60)
        alice.expect_like(r"alice\[tea\]> <語+")
        say(bob, "again")
        alice.type(HOME)
        alice.expect("[bob] : again", "alice[tea]> " + "語" * 32 + ">", cursor=12)


def test_after_a_resize(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        line = "".join(f"{number:04}" for number in range(30))
        alice.type(line[:100] + HOME)
        alice.expect_like(r"alice\[tea\]> 0000\d{61}>", cursor=12)
        alice.resize(50)
        alice.expect_like(r"alice\[tea\]> 0000\d{31}>", cursor=12)
        say(bob, "interrupting")
        alice.expect_like(r"\[bob\] : interrupting", r"alice\[tea\]> 0000\d{31}>", cursor=12)
        alice.resize(130)
        alice.expect("[bob] : interrupting", "alice[tea]> " + line[:100], cursor=12)
        alice.type(END + line[100:] + "\r")
        assert bob.expect(line).text == line
        alice.expect("[bob] : interrupting", "alice[tea]> " + line[:118], line[118:], "alice[tea]>")
        assert alice.rows.count("[bob] : interrupting") == 1


def test_while_a_file_is_sent(tmp_path: Path, window: Open) -> None:
    with chat(4, tmp_path) as running, socket.create_server(("127.0.0.1", 0)) as receiver:
        alice, bob = in_room(running, window)
        size = 50_000_000  # more than the kernel takes for a receiver who does not read
        (running.directory("alice") / "big file").write_bytes(bytes(size))
        alice.type("/send bob big file\r")
        bob.expect("big file")
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        bob.send(MessageType.FILE_ACCEPT, "alice", address.encode())
        receiver.settimeout(20)
        connection, _ = receiver.accept()
        bar = r"sending big file \[#*\.*\] \d+ %  50\.0 MB  \d+\.\d MB/s  (\d+ s left|waiting)"
        alice.expect_like(bar, r"alice\[tea\]>", cursor=12)
        alice.type("half a")
        alice.expect_like(bar, r"alice\[tea\]> half a", cursor=18)
        say(bob, "interrupting")
        alice.expect_like(r"\[bob\] : interrupting", bar, r"alice\[tea\]> half a", cursor=18)
        alice.type(" line\r")
        assert bob.expect("half").text == "half a line"
        connection.settimeout(20)
        left = size + 264
        while left:
            left -= len(connection.recv(1 << 20))
        connection.sendall(encode(Message(MessageType.FILE_ACK, "bob", "big file")))
        alice.expect("alice[tea]> half a line", "bob has received the file.", "alice[tea]>")
        connection.close()
        assert not any("sending" in row for row in alice.rows[-4:]), "the bar is gone"


@pytest.mark.parametrize("brackets", [True, False])
def test_paste_of_many_lines(brackets: bool, tmp_path: Path, window: Open) -> None:
    lines = [f"line {number} of a long text" for number in range(100)]
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        pasted = "\r".join([*lines, "not the last"])
        alice.type(f"\x1b[200~{pasted}\x1b[201~" if brackets else pasted)
        alice.expect(f"alice[tea]> {lines[-1]}", "alice[tea]> not the last", cursor=24)
        for line in lines:
            assert bob.expect("line").text == line


def test_pasted_tabs_complete_nothing(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        alice.type("\x1b[200~/w\tx\x1b[201~" + HOME + "\x1b[200~a\tb\x1b[201~\r")
        assert bob.expect("x").text == "a\tb/w\tx"


def test_history(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        for line in ("one", "two"):
            alice.type(line + "\r")
            bob.expect(line)
        alice.type("thr" + UP)
        alice.expect("alice[tea]> two", cursor=15)
        alice.type(UP)
        alice.expect("alice[tea]> one", cursor=15)
        alice.type(DOWN + DOWN)
        alice.expect("alice[tea]> thr", cursor=15)
        alice.type(UP + UP + "!\r")
        assert bob.expect("!").text == "one!"


def test_tab(tmp_path: Path, window: Open) -> None:
    with chat(4, tmp_path) as running:
        alice, bob = in_room(running, window)
        for folder in ("music", "music/old songs"):
            (running.directory("alice") / folder).mkdir()
        (running.directory("alice") / "music/old songs/tune").write_text("x")
        alice.type("/ms\t")
        alice.expect("alice[tea]> /msg")
        alice.type("\t")
        alice.expect("/msg  /msgall", "alice[tea]> /msg", cursor=16)
        alice.type(" b\t")
        alice.expect("alice[tea]> /msg bob", cursor=21)
        alice.type("\x15/join t\t")
        alice.expect("alice[tea]> /join tea", cursor=22)
        alice.type("\x15/send b\tmu\told\ttu\t")
        alice.expect("alice[tea]> /send bob music/old songs/tune", cursor=42)
        alice.type("\x15/msg c\t")
        alice.expect("alice[tea]> /msg c", cursor=18)
        assert not [m for m in bob.fence() if m.type != MessageType.MULTICAST_SEND], "no requests"
        assert "NICKNAME_LIST" not in running.server.log
        carol = running.wire("carol")
        carol.send(MessageType.BROADCAST_SEND, "", b"hello")
        alice.expect("[carol] : hello", "alice[tea]> /msg c", cursor=18)
        alice.type("\t")
        alice.expect("alice[tea]> /msg carol", cursor=23)


def test_help_and_typos(tmp_path: Path, window: Open) -> None:
    with chat(4, tmp_path) as running:
        alice = window(running, "alice")
        alice.type("/mgs bob hello\r")
        alice.expect_text("(did you mean /msg?)")
        alice.type("\x0c/help\r")
        alice.until(lambda: "list these commands" in "".join(alice.rows), "the list of commands")
        helped = [row for row in alice.rows if row.startswith("  /")]
        assert len(helped) == 12 and all(re.match(r"  /\w+.*?  +\w", row) for row in helped)
        alice.type("\x0c/help send\r")
        alice.expect_text("/send bob ~/holiday photo.jpg")
        assert [row for row in alice.rows if row.startswith("  /")] == [
            next(row for row in helped if "/send" in row)
        ]


def colours(window: Window, text: str) -> set[str]:
    """Return the colours in which a text stands on the screen."""
    row = next(y for y, row in enumerate(window.screen.display) if text in row)
    column = window.screen.display[row].index(text)
    cells = [window.screen.buffer[row][column + place] for place in range(len(text))]
    return {cell.fg for cell in cells}


def dim(window: Window, text: str) -> bool:
    """Say whether a text is dim, which window.py makes italics."""
    row = next(y for y, row in enumerate(window.screen.display) if text in row)
    return bool(window.screen.buffer[row][window.screen.display[row].index(text)].italics)


def test_colours(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        say(bob, "hello")
        alice.type("/mgs\r/join nowhere\r")
        alice.expect_text("nowhere does not exist")
        assert colours(alice, "unknown command") == {"red"}
        assert colours(alice, "channel nowhere") == {"red"}
        assert colours(alice, "hello") == {"default"}
        of_bob = colours(alice, "[bob]")
        assert len(of_bob) == 1 and not of_bob & {"default", "red"}
        assert dim(alice, "[Server] : Welcome") and dim(alice, "INFO> bob")
        assert not dim(alice, "hello") and not dim(alice, "/create")
        carol = window(running, "carol")
        bob.send(MessageType.UNICAST_SEND, "carol", b"psst")
        carol.expect_text("psst")
        assert colours(carol, "[bob]") == of_bob, "a name has the same colour everywhere"


def test_no_colour(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice = window(running, "alice", NO_COLOR="1")
        running.wire("bob").send(MessageType.BROADCAST_SEND, "", b"hello")
        alice.type("/mgs\r")
        alice.expect_text("[bob] : hello")
        alice.expect_text("unknown command")
        assert not re.search(rb"\x1b\[\d*m", alice.output)


def test_timestamps(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        command = client_command(PACKAGES[3], running.server.port, "--timestamps")
        alice = Window(command, tmp_path)
        try:
            stamped = r"\d\d:\d\d:\d\d \[Server\] : please login"
            alice.until(lambda: re.match(stamped, alice.rows[0]), "a time stamp")
        finally:
            alice.close()


def test_terminal_text_is_not_obeyed(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice, bob = in_room(running, window)
        say(bob, "\x1b[2J\x1b[H\ralice[tea]> forged")
        alice.expect(r"[bob] : \x1b[2J\x1b[H\x0dalice[tea]> forged", "alice[tea]>", cursor=12)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_leaves_the_terminal_sane(
    number: signal.Signals, tmp_path: Path, window: Open
) -> None:
    with chat(4, tmp_path) as running:
        alice = window(running, "alice")
        assert alice.mode != alice.mode_before
        alice.process.send_signal(number)
        assert alice.wait() == 0
        assert_sane(alice)


@pytest.mark.parametrize("milestone", [2, 3, 4])
@pytest.mark.parametrize("keys", ["/quit\r", "\x03", "half a line\x03", "\x04"])
def test_leaving_leaves_the_terminal_sane(
    keys: str, milestone: int, tmp_path: Path, window: Open
) -> None:
    with chat(milestone, tmp_path) as running:
        alice = window(running, "alice")
        assert alice.mode != alice.mode_before
        alice.type(keys)
        assert alice.wait() == 0
        assert_sane(alice)


def test_lost_server_leaves_the_terminal_sane(tmp_path: Path, window: Open) -> None:
    with chat(3, tmp_path) as running:
        alice = window(running, "alice")
        alice.type("half a line")
        alice.expect("alice> half a line")
        running.server.stop(signal.SIGKILL)
        assert alice.wait() == 1
        alice.expect("alice> half a line", "connection closed by server", "")
        assert_sane(alice)


def test_stopped_and_continued(tmp_path: Path) -> None:
    """Ctrl-Z gives the shell its terminal back, `fg` gives us the line that was being typed."""
    with chat(3, tmp_path) as running:
        # Without an editor of its own the shell leaves the terminal's mode alone.
        shell = Window(
            ["bash", "--norc", "--noediting", "-i"], tmp_path, columns=160, env={"PS1": "$ "}
        )
        try:
            shell.expect("$", cursor=2)
            before = shell.mode
            shell.type(" ".join(client_command(PACKAGES[3], running.server.port)) + "\r")
            shell.expect("[Server] : please login with /nick <your pseudo>", ">", cursor=2)
            for _ in range(2):
                shell.type("/nick")
                shell.expect("> /nick", cursor=7)
                shell.type("\x1a")
                shell.until(lambda: "Stopped" in shell.rows[-2], "the shell")
                shell.expect("$", cursor=2)
                assert shell.mode == before
                shell.type("fg\r")
                shell.expect("> /nick", cursor=7)
                assert shell.mode != before
                shell.type("\x15")
                shell.expect(">", cursor=2)
            shell.type("/nick alice\r")
            shell.expect("[Server] : Welcome on the chat alice", "alice>", cursor=7)
            shell.type("/quit\r")
            shell.expect("Goodbye.", "$", cursor=2)
            assert shell.mode == before
        finally:
            shell.close()


def test_exception_leaves_the_terminal_sane(tmp_path: Path) -> None:
    program = (
        "from common.editing_console import open_console; console = open_console()\n"
        "console.set_prompt('> '); console.flush(); input(); raise SystemError('a bug')"
    )
    window = Window([sys.executable, "-c", program], tmp_path, env={"PYTHONPATH": str(ROOT)})
    try:
        window.expect(">", cursor=2)
        assert window.mode != window.mode_before
        window.type("\r")
        assert window.wait() == 1
        window.expect_text("a bug")
        assert_sane(window)
    finally:
        window.close()


def assert_sane(window: Window) -> None:
    assert window.mode == window.mode_before
    switches = re.findall(rb"\x1b\[\?2004([hl])", window.output)
    assert switches and switches[-1] == b"l", "pasted text has no brackets any more"
    assert window.cursor == 0, "the shell's prompt begins in the first column"
