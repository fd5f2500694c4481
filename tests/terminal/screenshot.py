"""Take the picture of a chat: real server and clients, one of them in a window, drawn as SVG.

    make screenshot        # writes docs/images/chat.svg

Nothing in it is drawn by hand: the rows and colours are those that a terminal would show.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from io import StringIO
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from common.framing import MessageType
from tests.end_to_end.support import Chat, Wire, chat
from tests.terminal.window import Window, client_command

COLUMNS, ROWS = 84, 17
PART_SENT = 310_000_000
WHOLE = 480_000_000


def main() -> int:
    """Play the conversation and write the picture to the file that the command line names."""
    with tempfile.TemporaryDirectory() as directory, chat(4, Path(directory)) as running:
        command = client_command("milestone4_p2p", running.server.port)
        window = Window(command, running.directory("alice"), columns=COLUMNS, rows=ROWS)
        try:
            play(window, running)
            Path(sys.argv[1]).write_text(picture(window), encoding="utf-8")
        finally:
            window.close()
    return 0


def play(alice: Window, running: Chat) -> None:
    """A few lines in a room, a file on its way, a message above half a line."""
    alice.expect_text("please login")
    alice.type("/nick alice\r")
    alice.expect("alice>")
    bob, carol = running.wire("bob"), running.wire("carol")
    alice.type("/create tea\r")
    alice.expect("alice[tea]>")
    for user in (bob, carol):
        user.send(MessageType.MULTICAST_JOIN, "tea")
        user.expect("You have joined tea")
    says(bob, "Milk or lemon?")
    alice.expect_text("lemon?")
    alice.type("/mgs bob Lemon, please\r")
    alice.expect("alice[tea]>")
    alice.type("Lemon, please. お茶はいかが\r")
    carol.expect("Lemon")
    says(carol, "Did anybody take pictures?")
    alice.expect_text("pictures?")
    (running.directory("alice") / "pictures.zip").touch()
    os.truncate(running.directory("alice") / "pictures.zip", WHOLE)
    alice.type("/send carol pictures.zip\r")
    carol.expect("pictures.zip")
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        carol.send(MessageType.FILE_ACCEPT, "alice", address.encode())
        connection, _ = receiver.accept()
        left = PART_SENT  # then carol takes no more: the picture shows a file on its way
        while left > 0:
            left -= len(connection.recv(min(left, 1 << 20)))
        alice.until(lambda: re.search(r"#{10}.* 6\d %", alice.rows[-2]), "the progress bar")
        alice.type("They are on their w")
        alice.until(lambda: alice.rows[-1].endswith("on their w"), "half a line")
        says(bob, "And this does not break the line that alice is typing.")
        alice.until(lambda: alice.rows[-3].startswith("[bob] : And this"), "the message")
        connection.close()


def says(user: Wire, text: str) -> None:
    user.send(MessageType.MULTICAST_SEND, "tea", text.encode())


def picture(window: Window) -> str:
    """Return a window's screen as SVG."""
    console = Console(record=True, width=COLUMNS, height=ROWS, file=StringIO())
    for number in range(ROWS):
        console.print(row_of(window, number), end="\n", no_wrap=True, overflow="crop")
    svg = console.export_svg(title="make client-m4")
    # No fonts from the net: whoever looks at it has a monospaced one.
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def row_of(window: Window, number: int) -> Text:
    """Return a row of the screen with its colours; pyte calls yellow brown."""
    cells = [window.screen.buffer[number][column] for column in range(COLUMNS)]
    row = Text()
    for (colour, dim), same in groupby(cells, lambda cell: (cell.fg, cell.italics)):
        name = "yellow" if colour == "brown" else re.sub("^bright", "bright_", colour)
        row.append("".join(cell.data for cell in same), Style(color=name, dim=dim))
    if number == window.screen.cursor.y:
        row.stylize("reverse", window.cursor, window.cursor + 1)
    return row


if __name__ == "__main__":
    sys.exit(main())
