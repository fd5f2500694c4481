"""2.A to 2.C: the checks that all milestones share."""

from tests.every import *  # noqa: F403
