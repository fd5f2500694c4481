"""What is graded: handed from the command line to the checks as one JSON file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    1: "milestone1_echo",
    2: "milestone2_users",
    3: "milestone3_rooms",
    4: "milestone4_p2p",
    5: "milestone5_threads",
}


@dataclass
class Settings:
    """The programs under test and how to treat them."""

    milestone: int = 2
    """The milestone that is graded."""
    server: list[str] = field(default_factory=list)
    """The server's command, with `{port}` (and `{host}`) in it; empty: there is none."""
    client: list[str] = field(default_factory=list)
    """The client's command, with `{host}` and `{port}`; empty: there is none."""
    source: str = ""
    """A built submission: every actor gets a copy of this directory as its own; empty: none."""
    folder: str = "."
    """The directory inside `source` where the programs stand, and where they are started."""
    attach: str = ""
    """`host:port` of a server that somebody else started; empty: the harness starts it."""
    seed: str = "0"
    """Makes the random tokens; the same seed gives the same tokens."""
    reference_server: bool = False
    """The server is the project's own."""
    reference_client: bool = False
    replay: str = ""
    """The command that grades this submission, for the failure texts."""

    @classmethod
    def load(cls, path: str, milestone: int) -> Settings:
        """Read this milestone's part of the JSON file that the grader wrote."""
        return cls(**json.loads(Path(path).read_text())[str(milestone)])

    @classmethod
    def reference(cls, milestone: int) -> Settings:
        """Grade the project's own milestone."""
        folder = ROOT / FOLDERS[milestone]
        return cls(
            milestone=milestone,
            server=[sys.executable, str(folder / "server.py"), "{port}"],
            client=[sys.executable, str(folder / "client.py"), "{host}", "{port}"],
            reference_server=True,
            reference_client=True,
            replay=f"make grade-m{milestone}",
        )

    def client_forms(self) -> list[list[str]]:
        """The client's command, and what to try when it does not connect: the port alone."""
        if not self.client:
            return []
        return [self.client, [part for part in self.client if part != "{host}"]]


def fill(command: list[str], host: str, port: int) -> list[str]:
    """Put host and port into a command."""
    return [part.replace("{host}", host).replace("{port}", str(port)) for part in command]
