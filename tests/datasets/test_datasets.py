"""Imports: they go on after a kill, and failures are listed, not lost."""

from __future__ import annotations

import signal
import subprocess
import sys

import pandas as pd
import pytest

from crystalgfn import datasets
from crystalgfn.datasets import import_source
from crystalgfn.datasets.csv import CsvFile
from import_data import write_csv


@pytest.mark.filterwarnings("ignore")
def test_the_failures_of_an_earlier_import_do_not_stay(tmp_path):
    path = write_csv(tmp_path / "mine.csv")
    import_source(CsvFile(path), tmp_path / "data.parquet")
    assert (tmp_path / "data.failures.csv").exists()
    report = import_source(CsvFile(path, limit=3), tmp_path / "data.parquet")
    assert report.failures == ()
    assert not (tmp_path / "data.failures.csv").exists()
    assert report.summary() == f"wrote 3 crystals to {tmp_path / 'data.parquet'}"


KILLED = """
import os, signal, sys
from pathlib import Path
from crystalgfn.datasets import import_source
from crystalgfn.datasets.csv import CsvFile
class Killed(CsvFile):
    def entries(self, start):
        for entry in super().entries(start):
            if entry.material_id == "mine-000004":
                os.kill(os.getpid(), signal.SIGKILL)
            yield entry
import_source(Killed(Path(sys.argv[1])), Path(sys.argv[2]), chunk=1)
"""


@pytest.mark.filterwarnings("ignore")
def test_a_killed_import_goes_on_where_it_stopped(tmp_path):
    path, output = write_csv(tmp_path / "mine.csv"), tmp_path / "data.parquet"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(path), str(output)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    source = CsvFile(path)
    asked = []
    source_entries = source.entries
    source.entries = lambda start: asked.append(start) or source_entries(start)
    report = import_source(source, output, chunk=1)
    assert asked == [3]
    assert (report.written, len(report.failures)) == (3, 1)
    whole = import_source(CsvFile(path), tmp_path / "whole.parquet")
    assert whole.failures == report.failures
    assert pd.read_parquet(output).equals(pd.read_parquet(tmp_path / "whole.parquet"))


def test_rows_that_a_reader_would_refuse_become_failures(tmp_path, monkeypatch):
    original = datasets.conventional_cell

    def impossible(structure):
        cell = original(structure)
        if 12 in cell.counts:
            object.__setattr__(cell, "lattice", (4.0, 5.0, 6.0, 90.0, 90.0, 90.0))
        return cell

    monkeypatch.setattr(datasets, "conventional_cell", impossible)
    path = write_csv(tmp_path / "mine.csv")
    report = import_source(CsvFile(path, limit=3), tmp_path / "data.parquet")
    assert report.written == 2
    assert report.failures[0][0] == "mine-000001"
    assert "impossible crystal" in report.failures[0][1]
