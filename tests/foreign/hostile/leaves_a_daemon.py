"""Leaves a daemon behind: forks twice, calls setsid, and the grandchild, which ignores SIGTERM,
keeps a copy of the terminal and sleeps. The program itself is mute."""

import os
import signal
import time

import base

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        base.limit_lifetime()
        time.sleep(base.LIFETIME)
    os._exit(0)
os.wait()
base.limit_lifetime()
base.be_mute()
