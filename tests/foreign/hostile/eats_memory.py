"""Eats memory, 32 MiB at a time, each byte of it touched, up to 3 GiB; otherwise mute."""

import threading

import base

STEP = 32 * 1024 * 1024


def eat():
    eaten = []
    while len(eaten) * STEP < 3 * 1024**3:
        eaten.append(bytearray(b"x") * STEP)


base.limit_lifetime()
threading.Thread(target=eat, daemon=True).start()
base.be_mute()
