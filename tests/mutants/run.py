"""Start a mutant: `python tests/mutants/run.py 2/one-recv-is-one-frame server PORT`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHEAP_HASH = 2**4
"""scrypt's n for the wrong servers of milestone 5: dear hashes are not what they are graded for."""


def main(argv: list[str]) -> int:
    """Run the program of a mutant as the reference would be run. Returns its exit status."""
    if len(argv) < 2 or argv[1] not in ("server", "client"):
        print("usage: run.py MUTANT server|client ARGUMENT...", file=sys.stderr)
        return 2
    key, side, *arguments = argv
    from tests.mutants.registry import FOLDERS, find

    try:
        mutant = find(key)
    except KeyError:
        print(f"no mutant is called {key}; `make mutants` lists them", file=sys.stderr)
        return 2
    program = importlib.import_module(f"{FOLDERS[mutant.milestone]}.{side}")
    if mutant.milestone == 5:
        vars(importlib.import_module("milestone5_threads.accounts"))["SCRYPT_COST"] = CHEAP_HASH
    mutant.install()
    sys.argv = [f"{side}.py", *arguments]
    return int(program.exit_status(program.main, arguments))


if __name__ == "__main__":
    # Where this was started, and the folder of this file, are no places to import from.
    sys.path[0] = str(ROOT)
    sys.exit(main(sys.argv[1:]))
