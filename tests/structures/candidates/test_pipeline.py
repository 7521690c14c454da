"""From a table to a folder of candidates: real potential, real processes, real kills."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch
from ase.calculators.lj import LennardJones

from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.structures import place
from crystalgfn.structures.candidates import pipeline
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.folder import RunFolder, is_finished
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.workers import Tools
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential

pytest.importorskip("chgnet")

HELPERS = Path(__file__).parents[2] / "helpers"
QUICK = [
    "--starts",
    "3",
    "--relaxed",
    "1",
    "--steps",
    "15",
    "--free-steps",
    "500",
    "--hull",
    "builtin",
    "--library",
    "none",
]


def cubic(elements, rows):
    """Rows of (space group, counts, a) as crystals."""
    return Crystals(
        elements=elements,
        space_group=torch.tensor([group for group, _, _ in rows]),
        counts=torch.tensor([counts for _, counts, _ in rows]),
        lattice=torch.tensor([[a, a, a, 90.0, 90.0, 90.0] for _, _, a in rows]),
    )


SALTS = ((3, 8, 9, 12), [(225, (0, 4, 0, 4), 4.4), (225, (4, 0, 4, 0), 4.0), (221, (0, 0, 3, 1), 3.6)])


def command(*arguments):
    return [sys.executable, "-m", "crystalgfn", *map(str, arguments)]


def call(*arguments, **more):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment, **more)


def results(folder):
    """The rows of a run, without what depends on the clock."""
    frame = pd.read_parquet(folder / "structures.parquet")
    return frame[[name for name in frame if not name.startswith("seconds")]]


@pytest.fixture(scope="module")
def salts(tmp_path_factory):
    path = tmp_path_factory.mktemp("salts") / "salts.parquet"
    cubic(*SALTS).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def finished(salts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    done = call("structures", salts, "-o", folder, "--workers", 1, *QUICK)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_files_read_back_to_the_group_of_the_table(finished):
    from ase.io import read
    from ase.spacegroup.symmetrize import check_symmetry
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    folder, _ = finished
    rows = results(folder)
    assert list(rows["status"]) == ["relaxed"] * 3
    for row in rows.itertuples():
        path = folder / row.cif
        assert SpacegroupAnalyzer(Structure.from_file(path), symprec=0.01).get_space_group_number() == row.space_group
        assert check_symmetry(read(path), symprec=0.01).number == row.space_group
    assert len(read(folder / "all.extxyz", ":")) == 3


def test_known_crystals_are_known(finished):
    rows = results(finished[0]).set_index("formula")
    magnesia = rows.loc["MgO"]
    assert magnesia["space_group"] == 225
    assert magnesia["formation_energy_chgnet [eV/atom]"] == pytest.approx(-3.04, abs=0.1)  # DFT: -3.04
    assert magnesia["volume_per_atom [A^3]"] == pytest.approx(9.4, rel=0.05)  # experiment: 9.36
    assert magnesia["e_above_hull_chgnet [eV/atom]"] == pytest.approx(0, abs=0.02)


def test_the_table_names_its_methods(finished):
    folder, done = finished
    rows = results(folder)
    energies = [name for name in rows if "energy" in name or "hull_" in name]
    assert all("chgnet" in name for name in energies if name.endswith("[eV/atom]"))
    assert "chgnet" in done.stdout
    assert "builtin hull" in done.stdout.replace("\n", " ")


def test_two_workers_find_the_same_as_one(salts, finished, tmp_path):
    done = call("structures", salts, "-o", tmp_path / "out", "--workers", 2, *QUICK)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(results(tmp_path / "out"), results(finished[0]))


def test_a_killed_run_goes_on(salts, finished, tmp_path):
    folder = tmp_path / "out"
    process = subprocess.Popen(
        command("structures", salts, "-o", folder, "--workers", 1, *QUICK),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    parts = folder / "parts"
    deadline = time.monotonic() + 120
    while not list(parts.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.json")}
    assert 1 <= len(before) < 3
    assert not (folder / "structures.parquet").exists()

    refused = call("structures", salts, "-o", folder, *QUICK)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    other = call("structures", salts, "-o", folder, "--resume", *QUICK, "--seed", 1)
    assert other.returncode == 2
    assert "seed 0, found 1" in other.stderr

    done = call("structures", salts, "-o", folder, "--workers", 1, "--resume", *QUICK)
    assert done.returncode == 0, done.stderr
    after = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.json")}
    assert {name: after[name] for name in before} == before
    pd.testing.assert_frame_equal(results(folder), results(finished[0]))


def test_broken_rows_are_rows_with_a_reason(salts, tmp_path):
    frame = Crystals.from_file(salts).to_dataframe()
    frame = pd.concat([frame] * 2, ignore_index=True)
    frame["spacegroup"] = [225, 231, 221, 225, 225, 225]
    frame.loc[3, ["a", "b", "c"]] = 0.0
    frame.loc[4, "elements"] = '{"Xx": 4}'
    frame.loc[5, "elements"] = '{"Mg": 3000}'
    frame[["elements", "spacegroup", "a", "b", "c", "alpha", "beta", "gamma"]].to_csv(
        tmp_path / "rows.csv", index=False
    )
    done = call("structures", tmp_path / "rows.csv", "-o", tmp_path / "out", "--relax", "none", "--library", "none")
    assert done.returncode == 0, done.stderr
    rows = results(tmp_path / "out")
    assert list(rows["status"]) == ["placed", "failed", "placed", "failed", "failed", "failed"]
    for row, wanted in ((1, "231"), (3, "'a': found 0.0"), (4, "Xx"), (5, "3000 atoms")):
        assert wanted in rows["reason"][row]


ON_SITES = [
    (136, {"Ti": 2, "O": 4}, (4.8, 4.8, 3.0), '[["Ti", "a", 2], ["O", "f", 4]]'),
    (225, {"Mg": 4, "O": 4}, (4.4, 4.4, 4.4), '[["O", "a", 4], ["Mg", "b", 4]]'),
    (225, {"Li": 4, "F": 4}, (1.4, 1.4, 1.4), '[["Li", "a", 4], ["F", "b", 4]]'),
]


def rows_on_sites(path, rows):
    cells = [[group, json.dumps(counts), *axes, 90.0, 90.0, 90.0, sites] for group, counts, axes, sites in rows]
    names = ["spacegroup", "elements", "a", "b", "c", "alpha", "beta", "gamma", "wyckoff"]
    pd.DataFrame(cells, columns=names).to_csv(path, index=False)
    return path


def test_atoms_are_placed_on_the_sites_of_the_table(tmp_path):
    table = rows_on_sites(tmp_path / "rows.csv", ON_SITES)
    options = ("--workers", 1, "--hull", "none", "--library", "none")
    done = call("structures", table, "-o", tmp_path / "out", *options)
    assert done.returncode == 0, done.stderr
    rows = results(tmp_path / "out")
    assert list(rows["status"]) == ["relaxed", "relaxed", "failed"]
    assert "on the sites 225: Li(4a) F(4b)" in rows["reason"][2]
    made = rows.iloc[:2]
    assert [sorted(json.loads(cell)) for cell in made["wyckoff"]] == [
        sorted(json.loads(row[3])) for row in ON_SITES[:2]
    ]
    assert list(made["free_coordinates"]) == [1, 0]
    assert list(made["space_group"]) == list(made["space_group_initial"]) == [136, 225]
    assert made["group_kept"].all()
    assert made["converged"].all()
    assert (made["placement"] < made["initial_placements"]).all()
    rutile = made.iloc[0]
    assert rutile["volume_per_atom [A^3]"] == pytest.approx(62.4 / 6, rel=0.05)  # experiment
    assert rutile["formation_energy_chgnet [eV/atom]"] < -3


@pytest.mark.parametrize(
    ("sites", "wanted"),
    [
        ('[["Ti", "a", 2], ["O", "f", 4]', "row 2, column 'wyckoff': sites: found"),
        ('[["Ti", "a", 2], ["O", "z", 4]]', "row 2, column 'wyckoff': space group 136 has no Wyckoff position 'z'"),
        ('[["Ti", "a", 2], ["O", "i", 8]]', "row 2, column 'wyckoff': sites hold 8 atoms of O"),
    ],
)
def test_wrong_sites_stop_a_run_before_it_begins(tmp_path, capsys, sites, wanted):
    table = rows_on_sites(tmp_path / "rows.csv", [ON_SITES[1], (*ON_SITES[0][:3], sites)])
    with pytest.raises(SystemExit) as ended:
        main(["structures", str(table), "-o", str(tmp_path / "out")])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert wanted in message
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_worker_that_dies_takes_one_crystal_with_it(tmp_path):
    cubic(SALTS[0], 2 * SALTS[1]).to_parquet(tmp_path / "twice.parquet")
    done = call(
        *("structures", tmp_path / "twice.parquet", "-o", tmp_path / "out", "--relax", "deadly:make", "--workers", 2),
        *("--starts", "2", "--relaxed", "1", "--steps", "2", "--hull", "none", "--library", "none"),
    )
    assert done.returncode == 0, done.stderr
    rows = results(tmp_path / "out")
    assert list(rows["row"]) == list(range(6))
    assert list(rows["status"]) == 2 * ["relaxed", "failed", "relaxed"]
    assert all("died" in reason for reason in rows["reason"][[1, 4]])


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (["--relax", "chgnt"], "nearest: 'chgnet'"),
        (["--relax", "no_such_module:make"], "no_such_module"),
        (["--hull", "nowhere.parquet"], "nowhere.parquet"),
        (["--hull", "bulitin"], "nearest: 'builtin'"),
        (["--library", "bulitin"], "nearest: 'builtin'"),
        (["--library", "nowhere.parquet"], "nowhere.parquet"),
        (["--compare", "nowhere.parquet"], "nowhere.parquet"),
    ],
)
def test_wrong_use_is_one_line(salts, tmp_path, capsys, more, wanted):
    with pytest.raises(SystemExit) as ended:
        main(["structures", str(salts), "-o", str(tmp_path / "out"), *more])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert wanted in message
    assert message.count("\n") == 1
    assert not (tmp_path / "out" / "parts").exists()


def test_a_folder_with_other_files_is_left_alone(salts, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="new or empty folder"):
        RunFolder(tmp_path, {}, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def same_files(one, other):
    """The names of the files of two folders, which hold the same apart from what depends on the clock."""
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    assert names == sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
    for name in names:
        if name.startswith("structures."):
            continue
        texts = [(folder / name).read_text() for folder in (one, other)]
        if name.startswith("parts/"):
            parts = [json.loads(text) for text in texts]
            for part in parts:
                part["row"] = {key: value for key, value in part["row"].items() if not key.startswith("seconds")}
            texts = [json.dumps(part) for part in parts]
        assert texts[0] == texts[1], name
    for read, name in ((pd.read_parquet, "structures.parquet"), (pd.read_csv, "structures.csv")):
        frames = [read(folder / name) for folder in (one, other)]
        kept = [frame[[column for column in frame if not column.startswith("seconds")]] for frame in frames]
        pd.testing.assert_frame_equal(*kept, check_exact=True)
    return names


def test_python_writes_what_the_command_writes(salts, finished, tmp_path):
    placed = place(Crystals.from_file(salts), seed=0, placements=3, library=None)
    structures = placed.relax("chgnet", relaxed=1, steps=15, free_steps=500)
    names = same_files(structures.write(tmp_path / "out"), finished[0])
    assert {"manifest.json", "all.extxyz", "structures.parquet", "structures.csv", "parts/00000000.json"} <= set(names)
    written = pd.read_parquet(tmp_path / "out" / "structures.parquet")
    assert structures.to_dataframe()["match_group"].tolist() == written["match_group"].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="holds a run already"):
        structures.write(tmp_path / "out")


def test_loaded_tools_are_not_shared_among_processes(salts):
    placed = place(Crystals.from_file(salts), seed=0, placements=2, library=None)
    with pytest.raises(DataError, match="found 2 for what is loaded already"):
        placed.relax(CalculatorPotential("lj", LennardJones()), workers=2)
    with pytest.raises(DataError, match="workers: found 0"):
        placed.relax(workers=0)


def test_in_python():
    structures = place(cubic(*SALTS)[[0]], seed=0, placements=3, library=None).relax(
        "chgnet", relaxed=1, steps=15, free_steps=500
    )
    assert structures[0].structure.composition.reduced_formula == "MgO"
    assert structures[0].atoms.get_chemical_formula() == "MgO"
    assert [candidate.row.row for candidate in structures.best()] == [structures[0].row.row]
    assert structures.to_dataframe()["space_group"].tolist() == [225]


def test_parts_are_whole(finished):
    folder, _ = finished
    manifest = json.loads((folder / "manifest.json").read_text())
    again = RunFolder(folder, manifest, resume=True)
    assert again.done() == {0, 1, 2}
    assert [candidate.row.row for candidate in again.candidates()] == [0, 1, 2]


def test_results_become_training_rows(finished, tmp_path, capsys):
    folder, _ = finished
    with pytest.raises(SystemExit) as ended:
        main(["data", "from-structures", str(folder), "-o", str(tmp_path / "rows.parquet"), "--flagged"])
    assert ended.value.code == 0
    rows = pd.read_parquet(tmp_path / "rows.parquet").set_index("material_id")
    relaxed = results(folder).set_index("formula").loc["MgO"]
    own, wide = rows.loc["out-00000000"], rows.loc["out-00000000-x1.5"]
    energy = "formation_energy_per_atom"
    assert own[energy] == relaxed["formation_energy_chgnet [eV/atom]"]
    assert own["spacegroup"] == wide["spacegroup"] == 225
    assert wide["volume"] == pytest.approx(1.5 * own["volume"], rel=1e-6)
    assert wide[energy] > own[energy] + 0.1


def test_a_folder_without_results_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["data", "from-structures", str(tmp_path), "-o", str(tmp_path / "rows.parquet")])
    assert ended.value.code == 2
    assert "no folder of candidates" in capsys.readouterr().err


SLOW = r"""
import os, time
from pathlib import Path
from ase.calculators.lj import LennardJones

class Slow(LennardJones):
    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if 3 in atoms.numbers:
            Path(f"begun-{os.getpid()}").touch()
            time.sleep(600)
        super().calculate(atoms, properties, system_changes)

def make():
    return Slow(sigma=1.9, epsilon=0.5, rc=8.0)
"""


def test_sigterm_keeps_what_is_done_and_says_how_to_go_on(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    elements, (magnesia, lithium, _) = SALTS
    cubic(elements, [magnesia, lithium, lithium]).to_parquet(tmp_path / "rows.parquet")
    options = ("--relax", "slow:make", "--starts", 1, "--steps", 1, "--hull", "none", "--library", "none")
    process = subprocess.Popen(
        command("structures", "rows.parquet", "-o", "out put", "--workers", 2, *options),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )
    deadline = time.monotonic() + 300
    first = tmp_path / "out put" / "parts" / "00000000.json"
    while not (len(list(tmp_path.glob("begun-*"))) == 2 and first.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name.removeprefix("begun-")) for path in tmp_path.glob("begun-*")]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "crystalgfn structures rows.parquet -o 'out put' --workers 2 --relax slow:make" in said
    assert said.strip().splitlines()[0].endswith("--library none --resume")
    assert "Traceback" not in said
    assert len(workers) == 2
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    rows = pd.read_parquet(tmp_path / "out put" / "structures.parquet")
    assert rows["row"].tolist() == [0]
    assert "match_group" not in rows
    with pytest.raises(DataError, match="not finished"):
        RunFolder.existing(tmp_path / "out put")


def test_tables_grow_during_the_run(salts, tmp_path, monkeypatch):
    seen = []
    write = RunFolder.write_meanwhile

    def writing(folder):
        write(folder)
        seen.append(pd.read_parquet(folder.path / "structures.parquet"))
        assert not is_finished(folder.path)

    monkeypatch.setattr(RunFolder, "write_meanwhile", writing)
    monkeypatch.setattr(pipeline, "TABLES_S", 0.0)
    monkeypatch.setattr(pipeline, "TABLES_SHARE", 1e9)
    tools = Tools(potential="", hull="", library="")
    folder = pipeline.run(salts, tmp_path / "out", tools, SearchSettings(placements=1), engine=LocalEngine(1))
    assert [list(rows["row"]) for rows in seen] == [[0], [0, 1], [0, 1, 2]]
    assert all("match_group" not in rows for rows in seen)
    assert results(folder.path)["match_group"].tolist() == [0, 1, 2]
    assert is_finished(folder.path)


def test_writing_takes_a_small_share_of_the_time(monkeypatch):
    now, written = [0.0], []
    monkeypatch.setattr(pipeline.time, "monotonic", lambda: now[0])

    class Folder:
        def write(self, candidate):
            now[0] += 20.0

        def write_meanwhile(self):
            written.append(now[0])
            now[0] += 10.0

    pipeline._keep(range(60), Folder())
    assert written[0] == 60.0  # then every 200 s: a writing takes 10 s, which may be 5 % of the time
    assert [round(b - a) for a, b in pairwise(written)] == [210] * (len(written) - 1)
    assert len(written) == 6


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([], (100, 500)),
        (["--steps", "7"], (7, 7)),
        (["--free-steps", "0"], (100, 0)),
        (["--steps", "7", "--free-steps", "9"], (7, 9)),
    ],
)
def test_one_option_for_the_steps_of_both_phases(salts, tmp_path, given, wanted):
    with pytest.raises(SystemExit):
        main(["structures", str(salts), "-o", str(tmp_path / "out"), "-n", "1", "--relax", "none", *given])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["steps"], manifest["free_steps"]) == wanted


def test_the_best_rows_by_a_column(salts, tmp_path):
    crystals = Crystals.from_file(salts).with_columns(**{"band_gap [eV]": [1.0, 3.0, 2.0]})
    crystals.to_parquet(tmp_path / "rows.parquet")
    arguments = ["structures", str(tmp_path / "rows.parquet"), "-o", str(tmp_path / "out"), "--relax", "none"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "-n", "2", "--order-by", "band_gap:desc"])
    assert ended.value.code == 0
    assert results(tmp_path / "out")["input band_gap [eV]"].tolist() == [3.0, 2.0]
    assert results(tmp_path / "out")["row"].tolist() == [1, 2]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["order_by"] == "band_gap:desc"
