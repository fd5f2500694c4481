"""`python -m bench [ROW...]`: measure, and write bench/results/."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from bench import build, files, grading_cost, process, rows, table
from bench.rows import LONG, SHORT, Row, say

RESULTS = Path(__file__).with_name("results")
ROWS = {
    "echo": rows.echo,
    "private": rows.private,
    "rooms": rows.rooms,
    "idle": rows.idle,
    "memory": rows.memory,
    "file": files.one_gib,
    "grading": grading_cost.cost,
}


def main() -> int:
    """Measure what the command line names; without a name, everything (grading: long form)."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {' '.join(ROWS)}")
    parser.add_argument("--long", action="store_true", help="more rounds and more idle clients")
    parser.add_argument(
        "--prefer",
        action="store_true",
        help="let what is measured come before all else on this machine (root only)",
    )
    args = parser.parse_args()
    if unknown := set(args.rows) - set(ROWS):
        parser.error(f"no such row: {' '.join(sorted(unknown))}; there are {' '.join(ROWS)}")
    if sys.platform != "linux":
        print("bench: the figures come from Linux's /proc; there is none here", file=sys.stderr)
        return 1
    process.preferring = args.prefer
    try:
        build.program("load")
    except build.Missing as missing:
        print(f"bench: {missing}", file=sys.stderr)
        return 1
    measured: list[Row] = []
    for name in args.rows or [name for name in ROWS if args.long or name != "grading"]:
        measured += ROWS[name](LONG if args.long else SHORT)
        write(measured)
    return 0


def write(measured: list[Row]) -> None:
    """Write what there is so far; a bench that is broken off leaves what it measured."""
    RESULTS.mkdir(exist_ok=True)
    about = machine()
    (RESULTS / "results.json").write_text(
        json.dumps({"machine": about, "rows": rows.figures(measured)}, indent=1, ensure_ascii=False)
    )
    table.write_csv(measured, RESULTS / "results.csv")
    text = f"{about['text']}\n\n{table.markdown(measured)}"
    (RESULTS / "table.md").write_text(text)
    try:
        from bench import plots
    except ImportError:
        say("no pictures: pip install '.[bench]', as `make bench` does")
    else:
        plots.draw(measured, RESULTS)


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    today = datetime.date.today().isoformat()
    about = {
        "cpu": model,
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": load,
        "time": time.time(),
    }
    text = (
        f"{today}, {model}, {about['cpus']} CPUs, Linux {platform.release().split('-')[0]}, "
        f"Python {about['python']}, load average {load:.1f}."
    )
    return {**about, "text": text}


if __name__ == "__main__":
    sys.exit(main())
