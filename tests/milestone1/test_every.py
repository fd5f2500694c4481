"""1.A to 1.C: the checks that all milestones share."""

from tests.every import *  # noqa: F403
