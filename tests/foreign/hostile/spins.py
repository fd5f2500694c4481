"""Uses all the CPU time it gets, from the start on; otherwise mute."""

import threading

import base


def spin():
    while True:
        pass


base.limit_lifetime()
threading.Thread(target=spin, daemon=True).start()
base.be_mute()
