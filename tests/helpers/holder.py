"""A second process that works in folders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CODE = """
import sys
from contextlib import ExitStack
from pathlib import Path
from crystalgfn.files.locks import in_use
with ExitStack() as stack:
    for folder in sys.argv[1:]:
        stack.enter_context(in_use(Path(folder)))
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(*folders: Path) -> Iterator[subprocess.Popen]:
    """A process that holds folders until the block ends."""
    command = [sys.executable, "-c", CODE, *map(str, folders)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
