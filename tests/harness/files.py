"""Files below a program's directory, which it may remove or rename while we look."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def files_below(directory: Path) -> list[Path]:
    """All regular files, also in folders."""
    paths = (Path(folder, name) for folder, _, names in os.walk(directory) for name in names)
    return [path for path in paths if path.is_file()]


def size_of(path: Path) -> int:
    """Its bytes; -1 when it is gone."""
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return -1


def content_of(path: Path) -> bytes:
    """Its content; empty when it is gone or cannot be read."""
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""
