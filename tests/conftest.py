"""Settings of all tests."""

import os

from hypothesis import settings

# The tests' networks are tiny: threads only get in each other's way, badly so on a machine that does other work too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("naopt", deadline=None, derandomize=True)
settings.load_profile("naopt")
