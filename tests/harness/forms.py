"""Where the course leaves the form open: which one does this program take?

`/quit` or `/quit ROOM`; a path with quotes or without; `Y`, `y` or `Yes`. The forms are
alternatives: each is tried in a play of its own, until one works; what a form that does not count
does to a program is nobody's concern. What was found is remembered for the worker's other checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from .actor import Actor
from .chat import Chat
from .failures import CheckFailure, Waived
from .files import content_of, files_below, size_of
from .play import SendForm
from .terminal import TerminalUser

QUIT_FORMS = ("/quit {room}", "/quit")
SEND_FORMS = [
    SendForm(quoted, yes, no)
    for yes, no in (("Y", "N"), ("y", "n"), ("Yes", "No"))
    for quoted in (False, True)
]

NewPlay = Callable[[], Chat]


def find_quit_form(new_play: NewPlay) -> str:
    """The form of `/quit` that leaves a room and keeps the connection; the first if none does."""
    for form in QUIT_FORMS:
        with new_play() as chat:
            try:
                if _leaves_the_room(chat, form):
                    return form
            except (CheckFailure, Waived):
                continue
    return QUIT_FORMS[0]


def _leaves_the_room(chat: Chat, form: str) -> bool:
    """Whether bob, who joins alice's room, leaves it with this form. That alice hears nothing of
    him afterwards shows it only where she has heard him before; else, that a further `/quit` ends
    his session: he was in no room any more."""
    chat.attach_server()
    alice, bob = chat.users("alice", "bob")
    alice.types("/create red")
    bob.types("/join red")
    before, after = chat.token(), chat.token()
    bob.types(before)
    chat.settle()
    bob.types(form.format(room="red"))
    chat.settle()
    bob.types(after)
    chat.settle()
    if not bob.connected or after in alice.text():
        return False
    if before in alice.text():
        return True
    bob.types("/quit")
    return chat.wait_for(lambda: not bob.connected)


def find_send_form(new_play: NewPlay) -> SendForm:
    """The form of `/send` and of the answer with which a file arrives; the first if none does."""
    for form in SEND_FORMS:
        with new_play() as chat:
            try:
                chat.attach_server()
                alice, bob = chat.users("alice", "bob")
                file = SentFile(chat, alice, b"a small file\n")
                file.send(bob, form)
                bob.types(form.yes)
                if chat.wait_for(lambda f=file, b=bob: f.arrived_at(b)):  # type: ignore[misc]
                    return form
            except (CheckFailure, Waived):
                continue
    return SEND_FORMS[0]


class SentFile:
    """A file in the sender's working directory, to be found at the receiver by its digest."""

    def __init__(self, chat: Chat, sender: Actor, content: bytes, name: str = "") -> None:
        assert isinstance(sender, TerminalUser)
        self.chat = chat
        self.sender = sender
        self.content = content
        self.name = name or f"{chat.token()}.bin"
        (sender.program.cwd / self.name).write_bytes(content)
        self._digest = hashlib.sha256(content).digest()
        self._before: set[Path] = set()

    @property
    def stem(self) -> str:
        """Its name without the extension."""
        return Path(self.name).stem

    def send(self, receiver: Actor, form: SendForm) -> None:
        """Type the command, and let the question arrive."""
        self._before = set(files_of(receiver))
        self.sender.types(form.command(receiver.name, self.name))
        self.chat.settle()

    def new_files(self, receiver: Actor) -> list[Path]:
        """The files that have come into being below the receiver's directory since."""
        return [path for path in files_of(receiver) if path not in self._before]

    def copies_at(self, receiver: Actor) -> list[Path]:
        """The new files at the receiver that have this content, whatever their names."""
        return [
            path
            for path in self.new_files(receiver)
            if size_of(path) == len(self.content)
            # The stem was made at random: it may hold `tmp` by chance.
            and (self.content or not is_temporary(path.name.replace(self.stem, "file")))
            and hashlib.sha256(content_of(path)).digest() == self._digest
        ]

    def arrived_at(self, receiver: Actor) -> bool:
        """True when the file is there."""
        return bool(self.copies_at(receiver))


def is_temporary(name: str) -> bool:
    """True for the name of a file that is still being received: an empty one looks complete."""
    marks = ("part", "tmp", "temp", "incoming", "~")
    return name.startswith(".") or any(mark in name.lower() for mark in marks)


def files_of(actor: Actor) -> list[Path]:
    """All files below the directory that this actor's client was given."""
    assert isinstance(actor, TerminalUser)
    return files_below(actor.program.home)
