"""A fork bomb of bounded size: 10 children, each with 19 of its own, 200 in all. They sleep,
ignore SIGTERM, and every other family moves to a session of its own. The program itself is mute."""

import os
import signal
import time

import base


def sleep():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    base.limit_lifetime()
    time.sleep(base.LIFETIME)
    os._exit(0)


for number in range(10):
    if os.fork() == 0:
        if number % 2:
            os.setsid()
        for _ in range(19):
            if os.fork() == 0:
                sleep()
        sleep()
base.limit_lifetime()
base.be_mute()
