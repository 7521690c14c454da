"""Progress bars: on a terminal after two seconds, a line a minute elsewhere."""

from __future__ import annotations

import io
import sys
import types

import pytest

from crystalgfn import progress
from crystalgfn.progress import progress_bar, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(clock: list[float], seconds: float) -> None:
    with progress_bar(4, "sampling", "crystals") as bar:
        for _ in range(4):
            clock[0] += seconds / 4
            bar.advance(1)
        assert bar.completed == 4


def test_long_work_on_a_terminal_shows_rate(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    run(clock, seconds=8.0)
    shown = terminal.getvalue()
    for expected in ("sampling", "crystals/s", "4/4"):
        assert expected in shown


@pytest.mark.parametrize(
    ("stream", "seconds"), [(Terminal(), 1.9), (io.StringIO(), 59.0)], ids=["short", "no terminal"]
)
def test_silence(stream, seconds, clock, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", stream)
    run(clock, seconds)
    assert stream.getvalue() == ""
    assert capsys.readouterr().out == ""


def test_a_log_gets_a_line_a_minute(clock, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress_bar(100, "relaxing", "crystals", done=40) as bar:
        for _ in range(30):  # six a minute; what an earlier run did says nothing of the speed
            clock[0] += 10.0
            bar.advance()
    assert log.getvalue().splitlines() == [
        f"relaxing: {40 + 6 * minute} of 100 crystals, 6.0 a minute, 0:{10 - minute:02d}:00 left"
        for minute in range(1, 6)
    ]


def test_a_log_of_unknown_length_says_no_time_left(clock, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress_bar(None, "reading", "rows") as bar:
        clock[0] += 60.0
        bar.advance(120)
    assert log.getvalue() == "reading: 120 rows, 120.0 a minute\n"


def test_track_yields_everything_and_closes_after_an_error(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(track(range(3), 3, "counting")) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        for _ in track(range(3), None, "failing"):
            clock[0] += 5.0
            _ = 1 / (clock[0] < 10.0)


class Handle:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def update(self, data: dict[str, str], raw: bool) -> None:
        self.lines.append(data["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    """A kernel, and the lines that it shows under a cell."""
    lines: list[str] = []

    def display(data, *, raw, display_id):
        lines.append(data["text/plain"])
        return Handle(lines)

    shell = types.SimpleNamespace(kernel=object())
    for name in ("IPython", "IPython.display"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["IPython"].get_ipython = lambda: shell
    sys.modules["IPython.display"].display = display
    return lines


def test_long_work_in_a_notebook_shows_a_line(clock, notebook):
    run(clock, seconds=8.0)
    assert notebook[0].startswith("sampling: 1 of 4 crystals")
    assert "left" in notebook[0]
    assert notebook[-1] == "sampling: 4 crystals in 8 s"


def test_short_work_in_a_notebook_shows_nothing(clock, notebook):
    run(clock, seconds=1.9)
    assert notebook == []


def test_a_line_is_written_anew_twice_a_second(clock, notebook):
    with progress_bar(None, "sampling", "crystals") as bar:
        clock[0] += 2.0
        for _ in range(100):
            clock[0] += 0.01
            bar.advance()
    assert len(notebook) <= 5
    assert "100 crystals in 3 s" in notebook[-1]
