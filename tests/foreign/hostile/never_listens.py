"""Runs, but neither listens nor connects."""

import time

import base

base.limit_lifetime()
time.sleep(base.LIFETIME)
