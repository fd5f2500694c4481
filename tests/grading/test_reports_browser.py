"""The page in a real browser: it opens, draws its diagrams, runs nothing, asks nobody.

Skipped where there is no Chromium (Debian: `apt install chromium`).
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from grading import html

from . import report_models as models

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]
Pixel = tuple[int, int, int]


def browse(page: str, tmp_path: Path, *flags: str) -> tuple[str, str]:
    """Open the page; what the browser printed, and its log."""
    assert BROWSER is not None
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    command = [
        BROWSER,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        *flags,
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return done.stdout.decode(), done.stderr.decode("utf-8", "replace")


def picture(page: str, tmp_path: Path, *flags: str) -> list[list[Pixel]]:
    """A screenshot, as rows of pixels."""
    shot = tmp_path / "shot.png"
    browse(page, tmp_path, f"--screenshot={shot}", *flags)
    return pixels(shot.read_bytes())


def pixels(png: bytes) -> list[list[Pixel]]:
    """The pixels of an 8-bit RGB or RGBA picture that is not interlaced."""
    at, packed, header = 8, b"", b""
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        header = data if name == b"IHDR" else header
        packed += data if name == b"IDAT" else b""
        at += length + 12
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    assert depth == 8 and colour in (2, 6)
    step = 3 if colour == 2 else 4
    raw, stride = zlib.decompress(packed), width * step
    rows, above = [], bytearray(stride)
    for y in range(height):
        kind, *line = raw[y * (stride + 1) : (y + 1) * (stride + 1)]
        above = unfiltered(kind, bytearray(line), above, step)
        rows.append([(above[x], above[x + 1], above[x + 2]) for x in range(0, stride, step)])
    return rows


def unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    """Undo one of PNG's line filters."""
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[i]
        elif kind == 3:
            guess = (left + above[i]) // 2
        elif kind == 4:
            by = left + above[i] - corner
            guess = min((left, above[i], corner), key=lambda v: abs(by - v))
        else:
            guess = 0
        line[i] = (line[i] + guess) & 255
    return line


def test_it_opens_and_draws_what_failed(tmp_path: Path) -> None:
    page = html.page(models.failing())
    dom, log = browse(page, tmp_path, "--dump-dom")
    assert dom.count('<svg class="sequence"') == page.count('<svg class="sequence"') > 0
    assert "missing: bob is shown `tkn`" in dom
    assert "pld_len 83886080 is 5 with its bytes swapped" in dom
    assert "CONSOLE" not in log, log


@pytest.mark.parametrize(
    ("flags", "page", "red"),
    [
        ((), (246, 247, 249), (179, 32, 28)),
        (("--blink-settings=preferredColorScheme=0",), (18, 21, 27), (255, 154, 146)),
    ],
    ids=["light", "dark"],
)
def test_the_missing_message_is_red(
    flags: tuple[str, ...], page: Pixel, red: Pixel, tmp_path: Path
) -> None:
    """The arrow of what did not come is there, on a page of the right brightness."""
    failing = close_up(html.page(models.failing()))
    size = "--window-size=900,560"
    rows = picture(failing, tmp_path, size, *flags)
    assert rows[3][3] == page
    assert has_dashed_line(rows, red)
    without = failing.replace('class="arrow"', "")
    assert not has_dashed_line(picture(without, tmp_path, size, *flags), red)


def close_up(page: str, more: str = "") -> str:
    """The page with nothing on it but how requirement 2.1 failed: a small picture holds that."""
    others = "header, main > :not([aria-labelledby=r2-1]), .verdict { display: none }"
    return page.replace("</head>", f"<style>{others} {more}</style></head>")


def has_dashed_line(rows: list[list[Pixel]], colour: Pixel) -> bool:
    """Seven pixels of this colour, five others, and so on, from one lifeline to the next."""
    return any(row.count(colour) > 60 for row in rows)


def test_a_phone_needs_no_scrolling_sideways(tmp_path: Path) -> None:
    """Only the diagrams scroll: behind the width of a phone nothing is drawn but the page."""
    page = close_up(html.page(models.failing()), "body { width: 390px; margin: 0 }")
    rows = picture(page, tmp_path, "--window-size=600,560")
    assert {pixel for row in rows for pixel in row[450:]} == {(246, 247, 249)}


def test_hostile_output_stays_text(tmp_path: Path) -> None:
    dom, log = browse(html.page(models.hostile(1_000_000)), tmp_path, "--dump-dom")
    title = re.search("<title>(.*?)</title>", dom)
    assert title
    assert title[1].startswith("Milestone 2: ")
    assert "<script" not in dom
    assert "<img" not in dom
    assert "&lt;script&gt;document.title='broken in'" in dom
    assert "CONSOLE" not in log, log
