"""Settings of all tests."""

from hypothesis import settings

settings.register_profile("naopt", deadline=None, derandomize=True)
settings.load_profile("naopt")
