"""What grading costs beside starting and ending the same processes without a check.

The programs that are graded are wrapped: each start is noted, by the worker that caused it. The
script then starts the same programs in the same order, as many workers side by side, waits until
each has said something, and ends them. CPU time is that of everything that was started.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.contenders import ROOT
from bench.process import Failed, Server, read_line
from bench.rows import Form, Row, say

MOST = 900.0
"""Seconds that the grading of one milestone may take."""
WORKERS = 2
WRAPPER = """\
#!/bin/sh
echo "$PPID {what}" >> {log}
exec {python} {program} "$@"
"""


def cost(form: Form) -> list[Row]:
    """Grade milestones 1 to 4 (short form: 1 alone), then start the same processes."""
    row = Row("grading", "grading, beside starting the same processes", "s")
    for milestone in (1, 2, 3, 4) if form.long else (1,):
        say(f"grading: milestone {milestone}")
        try:
            measure_one(row, milestone)
        except (Failed, OSError, subprocess.SubprocessError) as failed:
            row.absent[f"milestone {milestone}"] = f"failed: {failed}"
            say(f"  failed: {failed}")
    if not form.long:
        row.absent["milestones 2 to 4"] = "not in the short form: make bench-long ROW=grading"
    return [row]


def measure_one(row: Row, milestone: int) -> None:
    """Grade one milestone and note what it cost; then start the same processes."""
    folder = next(ROOT.glob(f"milestone{milestone}_*"))
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as name:
        place = Path(name)
        log = place / "starts"
        log.touch()
        for what in ("server", "client"):
            text = WRAPPER.format(
                what=what, log=log, python=sys.executable, program=folder / f"{what}.py"
            )
            (place / what).write_text(text)
            (place / what).chmod(0o755)
        with Stopwatch() as graded:
            grade(milestone, place)
        lanes: dict[str, list[str]] = {}
        for line in log.read_text().splitlines():
            worker, what = line.split()
            lanes.setdefault(worker, []).append(what)
        with Stopwatch() as bare:
            start_all(list(lanes.values()), folder)
    starts = sum(len(lane) for lane in lanes.values())
    if not starts:
        raise Failed("nothing was started")
    row.add(
        f"milestone {milestone}",
        {
            "starts": starts,
            "graded": graded.seconds,
            "graded_cpu": graded.cpu,
            "bare": bare.seconds,
            "bare_cpu": bare.cpu,
        },
    )


class Stopwatch:
    """Takes the time by the clock, and the CPU time of the children that ended meanwhile."""

    def __enter__(self) -> Stopwatch:
        self._began = time.monotonic()
        self._cpu = self._children()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        self.cpu = self._children() - self._cpu

    @staticmethod
    def _children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


def grade(milestone: int, place: Path) -> None:
    """Run the grader."""
    argv = [sys.executable, "-m", "grading", "grade", "-m", str(milestone), "-n", str(WORKERS)]
    argv += [
        "--server",
        f"{place}/server {{port}}",
        "--client",
        f"{place}/client {{host}} {{port}}",
    ]
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if process.wait(MOST) != 0:
            raise Failed(f"the grader's exit status is {process.returncode}")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def start_all(lanes: list[list[str]], folder: Path) -> None:
    """Start what each worker started, side by side as the workers did."""
    waiting = list(lanes)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                lane = waiting.pop()
            start_in_order(lane, folder)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_in_order(lane: list[str], folder: Path) -> None:
    """Start servers one after the other, and at each the clients that it had."""
    server: Server | None = None
    clients: list[subprocess.Popen[str]] = []
    for what in [*lane, "end"]:
        if what != "client":
            for client in clients:
                end(client)
            clients.clear()
            if server is not None:
                server.stop()
                server = None
        if what == "server" or (what == "client" and server is None):
            server = Server([sys.executable, str(folder / "server.py"), "--quiet", "0"])
        if what == "client":
            assert server is not None
            clients.append(start_client(folder, server.port))


def start_client(folder: Path, port: int) -> subprocess.Popen[str]:
    """Start a client and wait until it has said something."""
    client = subprocess.Popen(
        [sys.executable, str(folder / "client.py"), "127.0.0.1", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert client.stdout is not None
    if folder.name.startswith("milestone1"):  # says nothing until it has an echo
        assert client.stdin is not None
        client.stdin.write("hello\n")
        client.stdin.flush()
    read_line(client.stdout, 20)
    return client


def end(client: subprocess.Popen[str]) -> None:
    """End a client."""
    client.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        client.communicate(timeout=5)
    if client.poll() is None:
        client.kill()
        client.wait()
