"""Signals as something to wait for. Each test has a process of its own, for handlers are global."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, select, signal
from common.signals import asked_to_end, catch_end_signals
{before}
ending = catch_end_signals()
poll = select.poll()
poll.register(ending, select.POLLIN)
os.kill(os.getpid(), signal.{number})
print(bool(poll.poll(0)), asked_to_end(ending), asked_to_end(ending))
"""


def seen(number: str, before: str = "") -> list[str]:
    """Whether poll() reports a signal that came before it waits; what it means, asked twice."""
    script = SCRIPT.format(number=number, before=before)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stays_until_it_is_seen_and_is_seen_once(number: str) -> None:
    assert seen(number) == ["True", "True", "False"]


def test_a_signal_for_the_terminal_wakes_but_does_not_end() -> None:
    handler = "signal.signal(signal.SIGWINCH, lambda *_: None)"
    assert seen("SIGWINCH", handler) == ["True", "False", "False"]


def test_nohup_stays_in_force() -> None:
    ignored = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    assert seen("SIGHUP", ignored) == ["False", "False", "False"]
