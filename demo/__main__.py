"""Play a milestone's conversation with real processes: `python3 -m demo m3`.

Nothing here is made up: a server and several clients run, each client on a pseudo-terminal; the
script types, waits until everybody has seen what they should, and prints what their screens show.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from demo.scripts import SCRIPTS, Script, Step
from demo.terminal import Terminal, start_server

ROOT = Path(__file__).resolve().parents[1]


class Play:
    """A running server, its clients, and the transcript."""

    def __init__(self, script: Script, directory: Path) -> None:
        self.script = script
        self.directory = directory
        package = ROOT / script.package
        server_command = [sys.executable, str(package / "server.py"), "--quiet", "0"]
        self.server, self.port = start_server(server_command, directory)
        self.client = [sys.executable, str(package / "client.py"), "localhost", str(self.port)]
        self.terminals: dict[str, Terminal] = {}
        self.printed: dict[str, int] = {}  # by name: the offset up to which a screen was printed
        self.width = max(len(step.who) for step in script.steps)

    def run(self) -> None:
        """Play all steps. Raises AssertionError where somebody does not see what they should."""
        for who in dict.fromkeys(step.who for step in self.script.steps):
            self.enter(who)
        for step in self.script.steps:
            self.play(step)
        for who, terminal in self.terminals.items():
            terminal.read_now()
            self.print_new(who)

    def enter(self, who: str) -> None:
        """Start a client, in a directory of its own with the files that the script gives it."""
        directory = self.directory / who
        directory.mkdir()
        for name, content in self.script.files.get(who, {}).items():
            (directory / name).write_bytes(content)
        self.terminals[who] = Terminal(self.client, directory)
        self.printed[who] = 0
        self.terminals[who].expect(self.script.banner)

    def play(self, step: Step) -> None:
        """Let one actor type a line, and wait until everybody has seen what they should."""
        typist = self.terminals[step.who]
        if self.script.prompts:
            typist.expect_prompt()
        starts = {who: len(self.terminals[who].screen) for who in [step.who, *step.seen]}
        typist.type(step.line + "\n")
        if not step.hidden:  # the terminal itself shows what is typed
            typist.expect(step.line + "\n", after=starts[step.who])
        for who, text in step.seen.items():
            self.terminals[who].expect(text, after=starts[who])
        if step.ends:
            typist.wait()
        for who in dict.fromkeys([step.who, *step.seen]):
            self.print_new(who)

    def print_new(self, who: str) -> None:
        """Print the complete lines that came to a screen since last time."""
        screen = self.terminals[who].screen
        start = self.printed[who]
        end = screen.rfind("\n") + 1
        for line in screen[start:end].splitlines():
            # A prompt that a message pushed aside is drawn again below it: once is enough.
            if line.strip() and not line.endswith(("> ", "/help): ")):
                print(f"{who:>{self.width}} | {line.rstrip()}")
        self.printed[who] = max(start, end)

    def close(self) -> None:
        """End all processes."""
        for terminal in self.terminals.values():
            terminal.close()
        self.server.terminate()
        self.server.wait()
        if self.server.stdout is not None:
            self.server.stdout.close()


def main() -> int:
    """Run the demo of the milestone that the command line names."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0])
    parser.add_argument("milestone", choices=SCRIPTS)
    script = SCRIPTS[parser.parse_args().milestone]
    with tempfile.TemporaryDirectory() as directory:
        play = Play(script, Path(directory))
        try:
            play.run()
        except AssertionError as error:
            print(f"the demo went wrong: {error}", file=sys.stderr)
            return 1
        finally:
            play.close()
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main())
