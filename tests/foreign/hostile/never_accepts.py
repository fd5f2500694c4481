"""Listens, and never accepts. (As a client: mute.)"""

import time

import base

base.limit_lifetime()
if not base.is_server():
    base.be_mute()
listener = base.listen(backlog=1)
time.sleep(base.LIFETIME)
