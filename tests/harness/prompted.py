"""The terminal stage of milestone 5: a person whom the client asks step by step.

User name, password, then operations: `DM`, its recipient, its text, one line each. Every line is
typed only after the client has asked for it and everything is at rest, for `getpass` throws away
what was typed early. All lines of an operation are one deed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import screen
from .json_wire import await_login, note_answer, password_of, refuse_the_mute
from .terminal import Person

if TYPE_CHECKING:
    from .play import Play

QUESTION = 1.0
"""Seconds in which a client is expected to ask for the next line, before it is typed anyway."""


class Prompted(Person):
    """A terminal user of milestone 5."""

    def __init__(self, play: Play, name: str, *, host: str = "", port: int = 0) -> None:
        self._prompts: set[str] = set()
        self._lines: list[str] = []  # typed in the last deed
        self._typed_at = 0  # how much the client had printed when the last line was typed
        super().__init__(play, name, host=host, port=port)

    def logs_in(self, name: str = "", password: str = "") -> None:
        """User name and password; what they bring is for the checks to say."""
        name = name or self.name
        refuse_the_mute(self.play)
        self._await_question()
        self.types(name)
        self._await_question()
        self.types(password or password_of(name))
        await_login(self, name)
        note_answer(self.play, bool(self._unfinished() or self.since().strip()))

    def types(self, line: str) -> None:
        """Type an operation, of which `line` holds the lines. Raises Missing."""
        first, *steps = line.split("\n")
        self.play.settle()
        what = ", ".join(f"`{screen.shorten(one)}`" for one in (first, *steps))
        self.play.acts(self.name, f"types {what}")
        self.enters(first)
        for step in steps:
            self._await_question()
            self._prompts.add(self._unfinished())
            self.enters(step)

    def enters(self, line: str) -> None:
        """Put `line` and Enter on the keyboard."""
        self._typed_at = self.program.output.total
        super().enters(line)
        self._lines.append(line)

    def sees(self, text: str, promise: str = "") -> None:
        """`text` is shown to this actor: so the server is not mute. Raises Missing."""
        super().sees(text, promise)
        note_answer(self.play, True)

    def tells(self, name: str, text: str) -> None:
        """DM."""
        self.types(f"DM\n{name}\n{text}")

    def leaves(self) -> bool:
        """Type `EX`; True when the program ends by itself."""
        self.types("EX")
        ended = self.play.wait_for(lambda: not self.program.running)
        self.play.settle()
        return ended

    def mark(self) -> None:
        """What stands on the unfinished line now is a prompt, if it looks like one."""
        super().mark()
        self._lines = []
        prompt = self._unfinished()
        # A list without a newline behind it is none: it ends with a word, or names somebody.
        others = [actor.name for actor in self.play.actors if actor is not self]
        if re.search(r"[^\w\s]$", prompt) and not any(screen.has_word(prompt, o) for o in others):
            self._prompts.add(prompt)

    def since(self) -> str:
        """What appeared since the last deed, less all prompts and an echo of what was typed."""
        text = screen.clean(self.program.output.since(self._mark))
        text = screen.without_prompts(text, self._prompts)
        return "\n".join(line for line in text.split("\n") if line.strip() not in self._lines)

    def _await_question(self) -> None:
        program, before = self.program, self._typed_at
        self.play.settle()
        if not program.unread_input():  # who has not read the last line asks nothing new
            self.play.wait_for(lambda: program.output.total > before, QUESTION)
            self.play.settle()

    def _unfinished(self) -> str:
        text = screen.clean(self.program.output.since(self._typed_at))
        return screen.unfinished_line(text).strip()
