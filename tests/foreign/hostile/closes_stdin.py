"""Closes its standard input at once; otherwise mute."""

import base

base.limit_lifetime()
with open(0, "rb", buffering=0):
    pass
if base.is_server():
    base.be_mute()
base.read_until_closed(base.connect())
