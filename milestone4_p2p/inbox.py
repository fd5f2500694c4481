"""The folder that takes received files (4.5, 4.B).

The name of a received file was chosen by a stranger, so it is a wish, not a path:
- it is cut down to a base name, so that nothing is written outside the inbox;
- the bytes go to a temporary name first, so that no half file stands under a final one;
- the final name is taken only if it is free, so that nothing is overwritten.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
from pathlib import Path
from typing import Final

from common.text import harmless

_LONGEST: Final = 200
"""Most bytes of a file's name: less than the usual 255, since a number may be added to it."""


def safe_name(wish: str) -> str:
    """Return the name under which a file may be saved, whatever its sender calls it."""
    base = harmless(wish.replace("\n", " ").replace("\t", " ").rsplit("/", 1)[-1])
    name = base.replace("\\", "_").strip()
    while len(name.encode()) > _LONGEST:
        name = name[1:]  # from the front: the ending tells what it is
    return name if name not in ("", ".", "..") else "unnamed"


class IncomingFile:
    """A file being received. `save` or `discard` ends it. All methods may raise OSError."""

    def __init__(self, folder: Path, wish: str) -> None:
        """Open a temporary file in `folder`, which is made if it is missing."""
        self.name = safe_name(wish)
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._temporary = folder / f".receiving-{secrets.token_hex(8)}"
        self._fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def write(self, data: memoryview) -> None:
        """Append all of `data`."""
        while data:
            data = data[os.write(self._fd, data) :]

    def save(self) -> Path:
        """Give the complete file its final name, and return that: `file (1).txt` if need be."""
        self._close()
        stem, ending = os.path.splitext(self.name)
        for number in itertools.count():
            final = self._folder / (f"{stem} ({number}){ending}" if number else self.name)
            with contextlib.suppress(FileExistsError):
                self._take_name(final)
                return final
        raise AssertionError("count() does not end")

    def discard(self) -> None:
        """Remove what was received."""
        self._close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _take_name(self, final: Path) -> None:
        """Rename the temporary file, unless `final` exists: then FileExistsError."""
        try:
            # rename() would overwrite; link() refuses, and nobody can come in between.
            os.link(self._temporary, final)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            # A file system without links: reserve the name, then overwrite our own empty file.
            os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            os.replace(self._temporary, final)
        else:
            self._temporary.unlink()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
