"""Property-based tests have as long as they need: nothing may depend on a fast machine."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
