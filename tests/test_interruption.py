"""SIGTERM ends a command as Ctrl-C does."""

import os
import signal
import threading

import pytest

from crystalgfn.interruption import terminable


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_interrupts_the_block_alone():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        terminate()
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            terminate()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_changes_no_handler():
    found = []

    def look():
        with terminable():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]
