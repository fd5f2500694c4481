"""Puts itself into the background: the program that was started exits 0 at once, and the daemon
that it leaves behind, in a session of its own, listens. Mute."""

import os

import base

if os.fork() > 0:
    os.wait()  # for setsid(), or the terminal's hang-up would take the daemon along
    os._exit(0)
os.setsid()
if os.fork() > 0:
    os._exit(0)
base.limit_lifetime()
base.be_mute()
