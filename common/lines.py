"""Lines out of a stream of bytes, whatever pieces it comes in. No file, no socket: see framing."""

from __future__ import annotations


class LineBuffer:
    """Collects bytes until their line is complete."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def receive_data(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their newlines."""
        if b"\n" not in data:
            self._rest += data
            return []
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        self._rest = bytearray(rest)
        return lines

    def take_rest(self) -> bytes:
        """Return and forget the line that no newline ended."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest
