"""Ctrl-C, SIGTERM and SIGHUP as something that `poll()` can wait for: the self-pipe trick.

A handler that raised an exception would strike between any two steps of the program; and a signal
that comes in the moment before `poll()` begins to wait would not end the wait. A byte in a pipe is
better behaved: it stays until the loop, between two turns, gets to it.
"""

from __future__ import annotations

import os
import signal


def catch_end_signals() -> int:
    """Return a descriptor that can be read when Ctrl-C, SIGTERM or SIGHUP has come.

    `nohup`, which ignores SIGHUP, stays in force. See signal(7) and `signal.set_wakeup_fd`.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in end_signals():
        signal.signal(number, lambda _number, _frame: None)
    return reader


def end_signals() -> list[signal.Signals]:
    """Return the signals that ask a program to end."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def asked_to_end(reader: int) -> bool:
    """Say whether one of them has come. Signals for the terminal leave their byte there, too."""
    try:
        came = os.read(reader, 64)
    except BlockingIOError:
        return False
    return not {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}.isdisjoint(came)
