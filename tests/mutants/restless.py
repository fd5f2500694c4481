"""What several mutants share: a poller that never waits."""

from __future__ import annotations

from common import poller


class RestlessPoll(poller._Poll):
    """Asks with a timeout of 0, whatever it is told."""

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Return at once."""
        return self._poll(0)


def restless(kind: str = poller.KINDS[0]) -> poller.Poller:
    """Instead of `poller.make_poller`."""
    return RestlessPoll()
