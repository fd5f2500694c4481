"""3.A to 3.C: the checks that all milestones share."""

from tests.every import *  # noqa: F403
