"""Ignores SIGTERM, SIGINT and SIGHUP; otherwise mute."""

import signal

import base

base.limit_lifetime()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
base.be_mute()
