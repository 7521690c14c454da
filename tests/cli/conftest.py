"""The command line, called in this process."""

from __future__ import annotations

import pytest

from crystalgfn import cli


@pytest.fixture
def call(capsys):
    """Call the command in this process; gives exit code, stdout and stderr."""

    def caller(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            cli.main(args)
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return caller
