"""Accepts and reads, never answers. As a client: sends what is typed, shows nothing."""

import base

base.limit_lifetime()
base.be_mute()
