"""The C programs of the bench: compiled when they are needed and have changed."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).with_name("c")
BUILD = Path(__file__).resolve().parents[1] / "build" / "bench"


class Missing(Exception):
    """Something that is measured against is not installed; the text says how to install it."""


@cache
def program(name: str) -> str:
    """Return the path of the program made of `c/NAME.c`. Raises Missing without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler: apt-get install gcc libc6-dev")
    source, binary = SOURCES / f"{name}.c", BUILD / name
    newest = max(path.stat().st_mtime for path in SOURCES.iterdir())
    if not binary.exists() or binary.stat().st_mtime < newest:
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-Wall", "-o", binary, source], check=True, timeout=60)
    return str(binary)


def installed(command: str, package: str) -> str:
    """Return the path of an installed program. Raises Missing."""
    path = shutil.which(command, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin")
    if path is None:
        raise Missing(f"{command} is not installed: apt-get install {package}")
    return path
