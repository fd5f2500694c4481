"""What several mutants share: a poller that never waits."""

from __future__ import annotations

import select

from common import poller


class RestlessPoll:
    """As common/poller.py has it, but `wait` asks with a timeout of 0, whatever it is told."""

    def __init__(self) -> None:
        poll = select.poll()
        self.register = poll.register
        self.modify = poll.modify
        self.unregister = poll.unregister
        self._poll = poll.poll

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Return at once."""
        return self._poll(0)


def restless(kind: str = poller.KINDS[0]) -> poller.Poller:
    """Instead of `poller.make_poller`."""
    return RestlessPoll()
