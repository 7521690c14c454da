"""Settings of the whole suite: hypothesis draws the same examples everywhere and never fails for being slow."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: results depend on the number of threads

from hypothesis import settings

settings.register_profile("crystalgfn", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("crystalgfn")
