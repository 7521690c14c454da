"""Settings of the whole suite: hypothesis draws the same examples everywhere and never fails for being slow."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: results depend on the number of threads

import pytest
from hypothesis import settings

settings.register_profile("crystalgfn", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("crystalgfn")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Let tests that share a fixture of their module run in one process of pytest-xdist, so that it is made once."""
    for item in items:
        fixtures = [fixture for named in item._fixtureinfo.name2fixturedefs.values() for fixture in named]
        if any(fixture.scope == "module" for fixture in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
