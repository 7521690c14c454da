"""``crystalgfn design``: a wish in one line, a folder with everything, and its best on the terminal."""

import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn import wishes
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.report import write
from crystalgfn.runs.model import load


@pytest.fixture(scope="module")
def default():
    return load("default")


@pytest.fixture
def here(tmp_path, monkeypatch, default):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wishes, "load", lambda name, trust: default)
    return tmp_path


def test_a_wish_becomes_relaxed_structures_in_a_folder_of_its_name(call, here):
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    wish = ["--chemsys", "Li-F", "--n-atoms-primitive", "2:3", "--with-known", "-n", "2", "--samples", "20"]
    code, out, err = call("design", *wish, "--charge", "none", "--workers", "1")
    assert code == 0, err
    folder = here / "Li-F"
    table = pd.read_csv(folder / "structures" / "structures.csv")
    assert set(table["status"]) == {"relaxed"}
    for name in table["cif"]:
        assert (folder / "structures" / name).is_file()
    assert set(table["formula"]) == set(Crystals.from_file(folder / "crystals.parquet").formulas)
    assert (folder / "report.html").read_text().lower().startswith("<!doctype html>")
    best = table.sort_values("e_above_hull_chgnet [eV/atom]").iloc[0]
    assert out.index("2 chosen from 20 samples") < out.index(best["formula"]) < out.index("2 of 2 relaxed")
    assert "crystalgfn judge Li-F/structures" in out


def test_the_page_shows_what_was_wanted(call, here, monkeypatch):
    pytest.importorskip("plotly", reason="the extra 'report' is not installed")
    pages = []

    def report(data, **options):
        pages.append(data.crystals)
        return write.report_of(data, **options)

    monkeypatch.setattr(write, "report_of", write.report, raising=False)
    monkeypatch.setattr(write, "report", report)
    wish = ["--chemsys", "Li-Mg-F", "--n-atoms-primitive", "2:6", "--with-known", "--charge", "none"]
    narrow = ["--want", "band_gap=2:", "-n", "2", "--samples", "10", "--relax", "none", "--workers", "1", "-o", "gap"]
    code, out, err = call("design", *wish, *narrow)
    assert code == 0, err
    assert "band_gap from 2 eV: predicted again for the structures" in out
    told = pd.read_csv(here / "gap" / "wanted.csv")
    assert pages[0].column("band_gap").tolist() == pytest.approx(told["band_gap [eV]"].tolist())
    assert (here / "gap" / "report.html").is_file()


@pytest.mark.parametrize("near", [0, 5])
def test_where_few_come_near_the_hull_the_loop_is_named_with_the_same_limits(call, here, monkeypatch, near):
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    monkeypatch.setattr("crystalgfn.report.candidates.near_hull", lambda candidates, threshold: (near, near))
    wish = ["--chemsys", "Li-Mg-F", "--n-atoms-primitive", "2:6", "--max-orbits", "3", "-n", "8", "--with-known"]
    code, out, err = call("design", *wish, "--samples", "60", "--workers", "1")
    assert code == 0, err
    limits = "--chemsys Li-Mg-F --charge common --max-orbits 3 --n-atoms-primitive 2:6"
    line = next((line for line in out.splitlines() if "crystalgfn loop" in line), "")
    if near:
        assert not line
        return
    words = line.partition("crystalgfn loop default ")[2].split()
    assert words[-2:] == ["-o", "loops/Li-Mg-F"]
    assert sorted(words[:-2]) == sorted(limits.split())


def test_atoms_can_be_placed_alone_and_what_is_there_is_not_replaced(call, here):
    wish = ["--formula", "MgF2", "--n-atoms-primitive", ":6", "-n", "2", "--samples", "20", "--relax", "none"]
    assert call("design", *wish, "--workers", "1")[0] == 0
    placed = pd.read_csv(here / "MgF2" / "structures" / "structures.csv")
    assert set(placed["status"]) == {"placed"}
    assert set(placed["formula"]) == {"MgF2"}
    code, _, err = call("design", *wish, "--workers", "1")
    assert code == 2
    assert err == "error: MgF2: holds a run already; give --resume to go on with it, or another folder\n"


TYPES = {
    "spinel": (227, 8.08, ["Mg", "Al", "O"], [[0, 0, 0], [5 / 8, 5 / 8, 5 / 8], [0.3874] * 3]),
    "perovskite": (221, 3.91, ["Sr", "Ti", "O"], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0]]),
}


@pytest.mark.parametrize(("name", "sites"), [("spinel", {8, 16, 32}), ("perovskite", {1, 3})])
def test_the_type_of_a_file_of_pymatgen_is_kept_from_another_folder(call, here, monkeypatch, name, sites):
    group, a, elements, positions = TYPES[name]
    structure = Structure.from_spacegroup(group, Lattice.cubic(a), elements, positions)
    structure.to(filename=str(here / f"{name}.cif"))  # in P1, all atoms listed
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    asked = ["--like", f"../{name}.cif", "--require", "O", "-n", "3", "--samples", "40", "--relax", "none"]
    code, _, err = call("design", *asked, "--workers", "1")
    assert code == 0, err
    chosen = Crystals.from_file(here / "work" / f"O-{name}" / "crystals.parquet")
    assert len(set(chosen.formulas)) == 3
    assert set(chosen.space_group.tolist()) == {group}
    counts = chosen.counts.numpy()
    assert (counts.sum(1) == len(structure)).all()
    assert (counts[:, list(chosen.elements).index(8)] > 0).all()
    assert set(counts[counts > 0].tolist()) <= sites | {sum(some) for some in ((8, 16), (8, 32), (16, 32), (1, 3))}


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (["--formula", "ABO3"], "elements left open"),
        (["--formula", "MgO", "--stoichiometry", "AB"], "found beside stoichiometry"),
        (["--like", "spinel.cif"], "spinel.cif: no such file"),
        (["--formula", "Li10GeP2S12"], "the constraints leave no crystal"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_leaves_nothing(call, here, wish, message):
    code, _, err = call("design", *wish)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not any(here.iterdir())
