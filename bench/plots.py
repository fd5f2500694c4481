"""The pictures, drawn with matplotlib from the measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.rows import Row

OURS, PEER, FLOOR = "#1f6f8b", "#b0b7bf", "#e0c068"
KINDS = {
    "poll": ("#c0392b", "o", "poll(): one thread, walks the whole list each time"),
    "epoll": ("#1f6f8b", "s", "epoll: one thread, is told who is ready"),
    "threads": ("#8e6bbf", "^", "threads: two for each client"),
}


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw every picture for which there are figures; return the files."""
    by_key = {row.key: row for row in rows if row.samples}
    made: list[Path] = []
    if "idle" in by_key:
        made += save(idle_clients(by_key["idle"]), folder / "bench-idle")
    costs = [row for row in rows if row.unit.startswith("µs") and row.key != "idle" and row.samples]
    if costs:
        made += save(cost_per_message(costs), folder / "bench-cost")
    return made


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a picture as PNG and as SVG."""
    files = [path.with_suffix(".png"), path.with_suffix(".svg")]
    for file in files:
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)
    return files


def idle_clients(row: Row) -> Figure:
    """Cost of a message against the number of clients that say nothing."""
    figure, axes = plt.subplots(figsize=(8.5, 5), layout="constrained")
    for kind, (colour, marker, label) in KINDS.items():
        points = sorted(
            (samples[0]["idle"], row.best(name) * 1e6)
            for name, samples in row.samples.items()
            if name.split()[0] == kind
        )
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=colour, marker=marker, label=label, linewidth=2)
    axes.set_title("What silent clients cost those who talk", loc="left", fontsize=13)
    axes.set_xlabel("idle clients, beside 25 who talk and 25 who listen")
    axes.set_ylabel("server CPU per message delivered, µs")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    tidy(axes)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure


def cost_per_message(rows: Sequence[Row]) -> Figure:
    """A panel of bars for each work: CPU per delivery of every contender."""
    columns = 2
    height = (len(rows) + columns - 1) // columns
    figure, grid = plt.subplots(
        height, columns, figsize=(11, 2.1 * height + 0.6), layout="constrained", squeeze=False
    )
    figure.suptitle("Server CPU per message delivered, µs (shorter is cheaper)", fontsize=13)
    panels = [axes for line in grid for axes in line]
    for axes, row in zip(panels, rows, strict=False):
        names = list(row.samples)
        values = [row.best(name) * 1e6 for name in names]
        bars = axes.barh(names, values, color=[colour(name) for name in names])
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
        axes.set_title(row.title, loc="left", fontsize=9.5)
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.tick_params(labelsize=9)
        tidy(axes)
    for axes in panels[len(rows) :]:
        axes.axis("off")
    return figure


def colour(name: str) -> str:
    """Ours, a peer, or the trivial server that shows the floor."""
    if name.startswith("milestone"):
        return OURS
    return FLOOR if name.startswith("relay") else PEER


def tidy(axes: Axes) -> None:
    """Take the frame away where it says nothing."""
    axes.spines[["top", "right"]].set_visible(False)
