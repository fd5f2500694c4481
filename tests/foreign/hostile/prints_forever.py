"""Prints without end on stdout and stderr; otherwise mute."""

import os
import threading

import base


def print_forever(descriptor):
    text = b"%d: and another line, and another line, and another line\n" % descriptor
    while True:
        os.write(descriptor, text * 100)


base.limit_lifetime()
for number in (1, 2):
    threading.Thread(target=print_forever, args=(number,), daemon=True).start()
base.be_mute()
