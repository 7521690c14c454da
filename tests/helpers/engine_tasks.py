"""Tasks for engines: numbers to double, of which one kills the process that works on it."""

import os
import time

DEADLY = -1


def load():
    return double


def load_nothing():
    from crystalgfn.errors import PropertyError

    raise PropertyError("no such potential")


def double(number):
    """Twice the number, and what the process sees: its threads, its GPUs, and where the standard library lies."""
    import colorsys

    if number == DEADLY:
        os._exit(9)
    time.sleep(0.02)
    return 2 * number, (os.environ.get("OMP_NUM_THREADS"), os.environ.get("CUDA_VISIBLE_DEVICES"), colorsys.__file__)
