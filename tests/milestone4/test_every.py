"""4.A to 4.C: the checks that all milestones share."""

from tests.every import *  # noqa: F403
