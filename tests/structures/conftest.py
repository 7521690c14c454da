"""A limit in time for tests of threads that wait for each other."""

import faulthandler
import os

import pytest

LIMIT_S = 600.0
"""Each of these tests takes seconds; minutes where other work shares the machine."""


@pytest.fixture
def ended_in_time(request):
    """End the process of a test that waits forever, and say on stderr where its threads are: none could be ended."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        stderr = os.dup(2)
    faulthandler.dump_traceback_later(LIMIT_S, exit=True, file=stderr)
    yield
    faulthandler.cancel_dump_traceback_later()
    os.close(stderr)
