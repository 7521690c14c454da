"""scripts/docs/reproduce.py on small synthetic tables: every number goes where the page expects it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.report.pages import parts
from script_files import load_script

ROOT = Path(__file__).resolve().parents[3]
PROXY = "formation_energy"


reproduce = load_script("docs/reproduce.py")


def table(elements, seed, **columns):
    """60 cubic crystals with 1 to 4 atoms of two elements."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((60, len(elements)), dtype=np.int64)
    for row in counts:
        row[rng.choice(len(elements), 2, replace=False)] = rng.integers(1, 5, 2)
    lattice = np.column_stack((np.repeat(rng.uniform(3, 6, (60, 1)), 3, axis=1), np.full((60, 3), 90.0)))
    groups = rng.choice([195, 200, 207, 221], 60)
    columns = {name: rng.normal(mean, 0.5, 60) for name, mean in columns.items()}
    return Crystals(elements, torch.tensor(groups), torch.tensor(counts), torch.tensor(lattice), columns)


@pytest.fixture
def files(tmp_path):
    energy = f"{PROXY} [eV/atom]"
    table((3, 8, 12), 0, **{energy: -3, "log_reward": 3, "log_pf": 0, "log_pb": 0}).to_parquet(
        tmp_path / "ours.parquet"
    )
    table((3, 8, 12), 1, **{energy: -0.5}).to_csv(tmp_path / "untrained.csv")
    table((3, 8, 12, 92), 2, formation_energy_per_atom=-1.5).to_parquet(tmp_path / "real.parquet")
    (tmp_path / "page.md").write_text((ROOT / "docs" / "reproduction.md").read_text())
    return tmp_path


def arguments(files, *more):
    given = [f"ours={files / 'ours.parquet'}", f"untrained={files / 'untrained.csv'}"]
    return [*(part for one in given for part in ("--samples", one)), "--real", str(files / "real.parquet"), *more]


def test_the_page_is_filled_and_a_second_run_changes_nothing(files):
    page, numbers = files / "page.md", files / "all.json"
    assert reproduce.main(arguments(files, "--page", str(page), "--json", str(numbers))) == 0
    first = page.read_text()
    summaries = json.loads(numbers.read_text())
    assert parts(first) == ["results", "validity", "judges"]
    median = f"{summaries['ours']['energy']['median']:.2f}".replace("-", "−")
    line = next(line for line in first.splitlines() if line.startswith("| median energy (eV/atom) | −3.10 |"))
    assert [cell.strip() for cell in line.split("|")][2:6] == ["−3.10", "−3.10", "−1.53", median]
    assert summaries["real crystals"]["energy"]["method"] == "DFT"
    assert summaries["ours"]["energy"]["method"] == "proxy `formation_energy`"
    assert 0 < summaries["real crystals"]["n"] < 60  # uranium is not among the elements of the samples
    assert reproduce.main(arguments(files, "--page", str(page))) == 0
    assert page.read_text() == first


def test_every_table_is_judged_by_every_proxy(files):
    samples = {"ours": Crystals.from_file(files / "ours.parquet")}
    lines = reproduce.judges(samples, ["formation_energy", "formation_energy_paper"], "e").splitlines()
    by_both = [float(reproduce.resolve(n)(samples["ours"]).median()) for n in (PROXY, "formation_energy_paper")]
    cells = [cell.strip().replace("−", "-") for cell in lines[2].split("|")]
    assert cells[1:5] == ["ours", *(f"{value:.2f}" for value in by_both), "–"]


def test_without_real_crystals_it_prints(files, capsys):
    assert reproduce.main(["--samples", f"ours={files / 'ours.parquet'}"]) == 0
    printed = capsys.readouterr().out
    assert "## results" in printed
    assert "effective sample size" in printed


@pytest.mark.parametrize("broken", ["missing", "no energies", "no marker", "nothing"])
def test_errors_are_one_line(files, capsys, broken):
    call = arguments(files)
    if broken == "missing":
        call[1] = f"ours={files / 'nothing.parquet'}"
    if broken == "no energies":
        table((3, 8), 0).to_parquet(files / "ours.parquet")
    if broken == "no marker":
        (files / "page.md").write_text("# empty\n")
        call += ["--page", str(files / "page.md")]
    if broken == "nothing":
        call = call[-2:]
    assert reproduce.main(call) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


def test_it_draws_from_an_untrained_sampler(files, monkeypatch):
    from crystalgfn.config import load_config

    small = ["constraints.elements=[Li, O, Mg]", "constraints.space_groups=[1, 221, 225]", "policy.width=16"]
    monkeypatch.setattr(reproduce, "load_config", lambda name: load_config(name, small))
    call = [
        "--untrained",
        "twelve-elements",
        "-n",
        "20",
        "--keep",
        str(files / "kept"),
        "--json",
        str(files / "all.json"),
    ]
    assert reproduce.main(call) == 0
    kept = Crystals.from_file(files / "kept" / "untrained.parquet")
    summary = json.loads((files / "all.json").read_text())["untrained"]
    assert summary["n"] == len(kept) == 20
    assert summary["validity"]["neutral_per_element"] == summary["validity"]["wyckoff"] == 1.0
    assert summary["weights"]["ess"] > 0
