"""The measurements as tables: Markdown for docs/performance.md, CSV for everything else."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.rows import Row


def markdown(rows: Sequence[Row]) -> str:
    """Return all rows as Markdown."""
    lines: list[str] = []
    for row in rows:
        lines += [f"### {row.title}", ""]
        if row.key == "idle":
            lines += idle(row)
        elif row.key == "memory":
            lines += memory(row)
        elif row.key == "file":
            lines += file(row)
        elif row.key == "grading":
            lines += grading(row)
        else:
            lines += messages(row)
        lines += ["", *(f"Absent: {name}: {why}." for name, why in row.absent.items())]
        lines += [""] if row.absent else []
    return "\n".join(lines)


def messages(row: Row) -> Iterator[str]:
    """CPU, rate and latencies of each contender, and the first one's share of the CPU."""
    yield "| server | CPU per delivery, µs | first / this | deliveries/s | p50, ms | p99, ms |"
    yield "|---|---|---|---|---|---|"
    first = next(iter(row.samples), "")
    for name in row.samples:
        cost = row.best(name)
        yield (
            f"| {name} | {cost * 1e6:.2f} | {row.best(first) / cost:.2f} "
            f"| {row.median(name, 'rate'):,.0f} | {row.median(name, 'p50') * 1e3:.2f} "
            f"| {row.median(name, 'p99') * 1e3:.2f} |"
        )
    yield ""
    yield load(row)


def load(row: Row) -> str:
    """How busy the load generator was, with whom it was busiest."""
    share = {
        name: (row.median(name, "load_cpu") / row.median(name, "seconds")) for name in row.samples
    }
    fastest = max(row.samples, key=lambda name: row.median(name, "rate"), default="")
    if not fastest:
        return ""
    return (
        f"The load generator did {row.median(fastest, 'rate'):,.0f} deliveries/s with {fastest}, "
        f"and used at most {max(share.values()):.0%} of one CPU."
    )


def idle(row: Row) -> Iterator[str]:
    """The cost with each number of idle clients, and beside none."""
    yield "| server | idle clients | CPU per delivery, µs | beside 0 idle | p50, ms | p99, ms |"
    yield "|---|---|---|---|---|---|"
    for name in sorted(row.samples, key=lambda name: (name.split()[0], int(name.split()[1]))):
        kind, count = name.split()
        none = f"{kind} 0"
        ratio = f"{row.best(name) / row.best(none):.2f} x" if none in row.samples else ""
        yield (
            f"| {kind} | {count} | {row.best(name) * 1e6:.1f} | {ratio} "
            f"| {row.median(name, 'p50') * 1e3:.2f} | {row.median(name, 'p99') * 1e3:.2f} |"
        )


def memory(row: Row) -> Iterator[str]:
    """Memory of each idle client."""
    yield "| server | KiB per idle client | clients | threads |"
    yield "|---|---|---|---|"
    for name, (sample, *_) in row.samples.items():
        yield (
            f"| {name} | {sample['per_client'] / 1024:.2f} | {sample['clients']:.0f} "
            f"| {sample['threads']:.0f} |"
        )


def file(row: Row) -> Iterator[str]:
    """Rates of the file transfers, and what the memory of ours grew."""
    yield "| way | GiB/s, median | best | growth of either end, MiB |"
    yield "|---|---|---|---|"
    for name, samples in row.samples.items():
        growth = (
            f"{max(sample['growth'] for sample in samples) / 2**20:.1f}"
            if "growth" in samples[0]
            else ""
        )
        best = max(sample["rate"] for sample in samples)
        yield f"| {name} | {row.median(name, 'rate'):.2f} | {best:.2f} | {growth} |"


def grading(row: Row) -> Iterator[str]:
    """Grading beside bare starts, by the clock and in CPU time."""
    yield "| milestone | starts | graded, s | bare, s | ratio | graded, CPU s | bare | ratio |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, (sample, *_) in row.samples.items():
        yield (
            f"| {name} | {sample['starts']:.0f} | {sample['graded']:.1f} | {sample['bare']:.1f} "
            f"| {sample['graded'] / sample['bare']:.2f} | {sample['graded_cpu']:.1f} "
            f"| {sample['bare_cpu']:.1f} | {sample['graded_cpu'] / sample['bare_cpu']:.2f} |"
        )


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write one line for each figure of each round."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "contender", "round", "figure", "value"])
        for row in rows:
            for name, samples in row.samples.items():
                for number, sample in enumerate(samples, 1):
                    for figure, value in sample.items():
                        writer.writerow([row.key, name, number, figure, value])
