"""Every benchmark runs at tiny size and says where and with what it was measured. Nothing here judges a time."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from crystalgfn.report.pages import parts
from script_files import load_script

ROOT = Path(__file__).resolve().parents[1]
TINY = ["--seconds", "0", "--set", "policy.width=16", "--set", "objective[0].property=density"]
SMALL_SPACE = ["--set", "constraints.elements=[Li, O, Mg]", "--set", "constraints.space_groups=[1, 2, 221, 225]"]
CALLS = {
    "throughput": ["--batch", "4,8", *TINY, *SMALL_SPACE],
    "masks": ["--presets", "twelve-elements", "--batch", "8", *TINY, *SMALL_SPACE],
    "proxy": ["--property", "volume_per_atom", "--batch", "4,8", *TINY, *SMALL_SPACE],
    "memory": ["-n", "8", *TINY, *SMALL_SPACE],
}


def run(script, *arguments):
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Run all of them; the JSON lines by name, what they printed by name, and the file."""
    path = tmp_path_factory.mktemp("benchmarks") / "results.jsonl"
    printed = {}
    for name, arguments in CALLS.items():
        done = run(name, *arguments, "--json", path)
        assert done.returncode == 0, done.stderr
        printed[name] = done.stdout
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["benchmark"]: line for line in lines}, printed, path


@pytest.mark.parametrize("name", CALLS)
def test_it_says_where_and_with_what(records, name):
    by_name, printed, _ = records
    machine = by_name[name]["machine"]
    assert machine["threads"] == 1
    assert machine["cores"] >= 1
    for key in ("cpu", "torch", "python", "commit"):
        assert machine[key]
        assert str(machine[key]) in printed[name]
    assert by_name[name]["configuration"]["preset"] == "twelve-elements"


@pytest.mark.parametrize("name", ["throughput", "masks", "proxy"])
def test_rates_are_units_over_seconds(records, name):
    for result in records[0][name]["results"]:
        assert result["units"] > 0
        assert result["per_second"] > 0
        if name != "masks":  # which counts additions; a round of training is several batches
            assert result["units"] % result["batch"] == 0
        assert result["per_second"] == pytest.approx(result["units"] / result["wall_s"], rel=1e-2)


def test_every_part_is_measured(records):
    by_name = records[0]
    assert {(r["what"], r["batch"]) for r in by_name["throughput"]["results"]} == {
        (what, batch) for what in ("train", "sample", "sample_scored") for batch in (4, 8)
    }
    assert {r["rule"] for r in by_name["masks"]["results"]} == {"per_element", "per_atom"}
    peaks = {r["phase"]: r["peak_mib"] for r in by_name["memory"]["results"]}
    assert peaks.keys() == {"import", "build", "sample", "train"}
    assert all(peak > 10 for peak in peaks.values())


def test_the_page_is_filled_from_the_records(records, tmp_path):
    page = tmp_path / "performance.md"
    page.write_text((ROOT / "docs" / "performance.md").read_text())
    done = run("fill_page", records[2], "--page", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert parts(text) == ["training", "sampling", "masks", "proxy", "memory"]
    assert "| training, proxy inside, batch 4 |" in text
    assert "| 3 elements, per_atom |" in text
    assert "| `volume_per_atom`, batch 8 |" in text
    assert "| train, 8 crystals |" in text
    assert records[0]["masks"]["machine"]["commit"] in text
    (tmp_path / "broken.jsonl").write_text("{")
    assert run("fill_page", tmp_path / "broken.jsonl", "--page", page).returncode == 2


def test_checkouts_are_timed_in_turn():
    done = run("paired", ROOT, ROOT, "--batch", "4", "--rounds", "1", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("1.00 of the first")


def test_crystals_on_known_sites_are_placed_and_relaxed_and_a_killed_run_goes_on(tmp_path, capsys):
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    salt = {"elements": '{"Mg": 4, "O": 4}', "spacegroup": 225, **dict.fromkeys("abc", 4.25)}
    salt |= {**dict.fromkeys(("alpha", "beta", "gamma"), 90.0), "wyckoff": '[["Mg", "a", 4], ["O", "b", 4]]'}
    salt |= {"material_id": "salt", "formation_energy_per_atom": -3.0, "n_atoms_primitive": 2, "e_above_hull": 0.0}
    table, known, work = tmp_path / "salt.parquet", tmp_path / "known.parquet", tmp_path / "work"
    pd.DataFrame([salt, {**salt, "material_id": "off", "e_above_hull": 0.3}]).to_parquet(table)
    cell = [0.0, 2.1, 2.1, 2.1, 0.0, 2.1, 2.1, 2.1, 0.0]
    rocksalt = {"numbers": [12, 8], "cell": cell, "fractional": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5]}
    pd.DataFrame([{"material_id": name, **rocksalt} for name in ("salt", "off")]).to_parquet(known)
    phases = tmp_path / "phases.csv"
    phases.write_text('elements,formation_energy_per_atom\n"{""Mg"": 1, ""O"": 1}",-3.0\n')
    arguments = [table, "-n", "1", "--off", "1", "--hull", phases, "--known", known, "--work", work]
    done = run("structures", *arguments)
    assert done.returncode == 0, done.stderr
    near, off = done.stdout.splitlines()[-2:]
    assert "1 near the hull" in near
    assert "1 off the hull" in off
    for line in (near, off):
        assert "of the first; converged 100.0%, kept 100.0%, P1 0.0%, " in line
        assert "within 0.08 eV/atom of the hull phases.csv" in line
        assert "found again 100.0%, as low as the known structure 100.0%" in line
    found = work / "0-chgnet.jsonl"
    first, second = map(json.loads, found.read_text().splitlines())
    assert first["error phases.csv"] == pytest.approx(second["error phases.csv"] + 0.3, abs=0.02)
    assert abs(first["known"]) < 0.2
    found.write_text(json.dumps({**first, "cpu_s": 1000.0}) + '\n{"off": true, "cp')  # killed while it wrote
    done = run("structures", *arguments)
    assert done.returncode == 0, done.stderr
    assert "1000.00 CPU seconds a crystal" in done.stdout  # kept, and the other one done anew
    assert len(found.read_text().splitlines()) == 2
    found.write_text((json.dumps(first) + "\n") + json.dumps(second) + "\n")
    (work / "0-other.jsonl").write_text(json.dumps({**first, "found": False}) + "\n" + json.dumps(second) + "\n")
    benchmark = load_script("../benchmarks/structures.py")
    each = [(name, benchmark.lines_of(work / f"0-{name}.jsonl")) for name in ("chgnet", "other")]
    benchmark.found_by_all(each, "error phases.csv")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  the 0 near the hull that all found: chgnet nothing that is known")
    size = abs(second["error phases.csv"])
    assert lines[1].startswith(f"  the 1 off the hull that all found: chgnet {size:.3f} eV/atom")
    done = run("structures", *arguments[:5], *arguments[7:])  # without the hull
    assert done.returncode == 2
    assert done.stderr == f"{work}: holds other crystals, hulls or checkouts, allowed: a new folder\n"


def test_masks_with_sites_are_measured_for_few_and_for_all_elements(tmp_path):
    path = tmp_path / "results.jsonl"
    groups = ["--set", "constraints.space_groups=[2, 221]", "--set", "constraints.n_atoms_primitive=[1, 6]"]
    done = run("site_masks", "--batch", "8", "--seconds", "0", "--rules", "none", *groups, "--json", path)
    assert done.returncode == 0, done.stderr
    few, all_ = json.loads(path.read_text())["results"]
    assert (few["elements"], all_["elements"], few["times_few"]) == (12, 88, 1.0)
    assert all_["units"] == 8


def test_iterations_on_several_processes_are_timed_in_turn_with_those_of_one(tmp_path):
    path = tmp_path / "results.jsonl"
    small = ["--preset", "twelve-elements", "--batch", "4", "--rounds", "1", *TINY, *SMALL_SPACE]
    done = run("ranks", *small, "--json", path)  # one process, alone
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(path.read_text())["results"]
    assert result["times_as_fast"] == pytest.approx(result["one_s"] / result["1_s"])
    assert result["batch"] == 4


def test_random_sets_of_constraints_on_the_default_space_hold_for_every_sample(tmp_path):
    path = tmp_path / "results.jsonl"
    small = ["--set", "policy.width=32", "--set", "policy.layers=2", "--random"]
    done = run("constraint_sets", "--sets", "6", "--samples", "200", "--seed", "1", *small, "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(path.read_text())
    assert line["configuration"]["invalid"] == 0
    assert len({result["limits"] for result in line["results"]}) == 6
