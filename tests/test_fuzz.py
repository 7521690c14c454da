"""Every file that the package reads, damaged at random: it is read, or refused in one line by an error of the package.

Nothing else may happen: no other exception, no module that a file names, no connection, no minute of work, no memory
by the gigabyte.
``make test`` does a few damages of each file, ``pytest -m nightly`` ten thousand in all.
"""

import functools
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from candidate_setup import candidate, salt
from crystalgfn import load
from crystalgfn.config import CONFIG, load_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.datasets.candidates import CandidateFolder
from crystalgfn.datasets.csv import CsvFile
from crystalgfn.errors import CrystalGFNError, DataError
from crystalgfn.evaluation.candidates import read_candidates
from crystalgfn.evaluation.inputs import read_data, read_references, summarised, with_references
from crystalgfn.files.reading import read_json, read_numbers
from crystalgfn.gflownet.checkpoint import save_policy
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.posterior import Posterior
from crystalgfn.loop.rounds import _read_log
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.models import ProxyProperty, shipped_models
from crystalgfn.runs.build import POLICY
from crystalgfn.runs.folder import METRICS, begin
from crystalgfn.runs.model import untrained
from crystalgfn.runs.prior_data import read_prior_data
from crystalgfn.stability.load import hull_of_table
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.folder import MANIFEST, PARTS, RunFolder
from crystalgfn.structures.placing.prototype_files import SCHEMA, load_library
from crystalgfn.structures.relaxing.potentials.references import References
from import_data import salts, write_csv
from mutations import mutate
from small_run import small_config

A_FEW, A_NIGHT = 12, 420
"""Damages of each file: in every run of the suite, and at night (25 files, so more than 10,000)."""

SECONDS, BYTES = 60, 2 << 30
"""Longest time and most memory of reading one file."""


@dataclass(frozen=True)
class Reader:
    """A file of some kind, and what reads it.

    Attributes:
        damaged: the file, relative to the folder that ``make`` fills.
        make: writes the file, and what stands beside it, into an empty folder.
        read: reads the folder.
    """

    damaged: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


def crystals(n=6):
    return untrained(small_config()).sample(n, seed=3)


prior = functools.cache(lambda: load("prior"))


def with_sites(path):
    prior().restricted(n_elements=[1, 3]).sample(12, seed=0).write(path)


def structures(folder):
    """A folder of three candidates, one of them without a structure."""
    made = RunFolder(folder, {"potential": "chgnet", "references": None}, resume=False)
    for row, (metal, a) in enumerate((("Mg", 4.2), ("Ca", 4.8))):
        made.write(Candidate(candidate(row, salt(metal, "O", a=a), -3.0), salt(metal, "O", a=a)))
    made.finish()
    return folder


def everything(path):
    """Read as ``crystalgfn evaluate`` does, to the last column."""
    data = read_data(path)
    data, references = with_references(data, read_references([]))
    return summarised(data, references, smact=False)


def first_broken(path):
    """Read a folder of CIF files, of which a broken one is a failed candidate, and say why it failed."""
    found = read_candidates(path)
    found.crystals()
    for name, reason in found.broken.items():
        raise DataError(f"{name}: {reason}")


def run(folder):
    config = small_config()
    begin(config, folder)
    save_policy(folder / POLICY, untrained(config).policy, {})
    (folder / METRICS).write_text("iteration,loss,log_z\n1,3.5,0.1\n2,2.5,0.2\n")


def sampled(folder):
    return load(folder).sample(2, seed=0)


def model(folder):
    shutil.copytree(shipped_models()["band_gap"], folder)


def predicted(folder):
    return ProxyProperty.load(folder)(crystals(2))


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path)


def phases(path):
    parquet(
        path,
        elements=['{"Mg": 1, "O": 1}', '{"Li": 2, "O": 1}', '{"Li": 1, "F": 1}'],
        formation_energy_per_atom=[-3.0, -2.0, -3.1],
        e_above_hull=[0.0, 0.0, 0.02],
    )


def known_structures(path):
    good = salts()[:3]
    parquet(
        path,
        material_id=["a", "b", "c"],
        numbers=[list(s.atomic_numbers) for s in good],
        cell=[s.lattice.matrix.ravel().tolist() for s in good],
        fractional=[s.frac_coords.ravel().tolist() for s in good],
    )


def matched(path):
    reference = Reference(path)
    return [reference.match(structure) for structure in salts()[:3]]


def library(path):
    row = {"id": "x", "formula": "MgO", "space_group": 225, "numbers": [12, 8], "letters": "ab", "free": []}
    pq.write_table(pa.Table.from_pylist([{**row, "lattice": [4.2, 4.2, 4.2, 90.0, 90.0, 90.0]}], schema=SCHEMA), path)


def references(path):
    shipped = Path(sys.modules[References.__module__].__file__).parent / "data" / "chgnet.json"
    shutil.copy(shipped, path)


def labels(path):
    table = crystals().to_dataframe()
    table["my_bulk [GPa]"] = [100.0, 80.5, 60.0, 200.0, 150.0, 90.0]
    table["formation_energy_per_atom"] = [0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    table.to_csv(path, index=False)


def imported(path):
    source = CsvFile(path, keep=["bulk"])
    return [_structure(entry) for entry in source.entries(0)]


def _structure(entry):
    """The structure of an imported row; importers write down why a row has none, and go on."""
    try:
        return entry.load()
    except CrystalGFNError:
        return None


def cifs(folder):
    folder.mkdir()
    (folder / "MgO.cif").write_text(salts()[0].to(fmt="cif", symprec=0.01))
    (folder / "CaO.cif").write_text(salts()[1].to(fmt="cif"))


POSTERIOR_FIELDS = dict.fromkeys(Posterior.__dataclass_fields__, 1)

READERS = {
    "crystals.csv": Reader("c.csv", lambda f: crystals().write(f / "c.csv"), lambda f: everything(f / "c.csv")),
    "crystals.parquet": Reader(
        "c.parquet", lambda f: crystals().write(f / "c.parquet"), lambda f: everything(f / "c.parquet")
    ),
    "sites.csv": Reader(
        "s.csv", lambda f: with_sites(f / "s.csv"), lambda f: KnownCrystals.of(Crystals.from_file(f / "s.csv"))
    ),
    "sites.parquet": Reader(
        "s.parquet", lambda f: with_sites(f / "s.parquet"), lambda f: KnownCrystals.with_tables([str(f / "s.parquet")])
    ),
    "data of a prior": Reader(
        "s.parquet",
        lambda f: with_sites(f / "s.parquet"),
        lambda f: read_prior_data(f / "s.parquet", prior().space, Likelihood(), seed=0),
    ),
    "configuration": Reader(f"run/{CONFIG}", lambda f: run(f / "run"), lambda f: load_config(f / "run" / CONFIG)),
    "run: configuration": Reader(f"run/{CONFIG}", lambda f: run(f / "run"), lambda f: sampled(f / "run")),
    "run: weights": Reader(f"run/{POLICY}", lambda f: run(f / "run"), lambda f: sampled(f / "run")),
    "run: curves": Reader(f"run/{METRICS}", lambda f: run(f / "run"), lambda f: read_numbers(f / "run" / METRICS)),
    "model: card": Reader("m/card.json", lambda f: model(f / "m"), lambda f: predicted(f / "m")),
    "model: weights": Reader("m/weights.safetensors", lambda f: model(f / "m"), lambda f: predicted(f / "m")),
    "structures: table": Reader(
        "st/structures.parquet", lambda f: structures(f / "st"), lambda f: everything(f / "st")
    ),
    "structures: manifest": Reader(
        f"st/{MANIFEST}", lambda f: structures(f / "st"), lambda f: CandidateFolder(f / "st")
    ),
    "structures: part": Reader(
        f"st/{PARTS}/00000001.json",
        lambda f: structures(f / "st"),
        lambda f: list(RunFolder.existing(f / "st").candidates()),
    ),
    "structures: CIF": Reader(
        "st/cif/00000001_CaO_225.cif", lambda f: structures(f / "st"), lambda f: first_broken(f / "st")
    ),
    "CIF files": Reader("cifs/MgO.cif", lambda f: cifs(f / "cifs"), lambda f: first_broken(f / "cifs")),
    "hull": Reader("h.parquet", lambda f: phases(f / "h.parquet"), lambda f: hull_of_table(f / "h.parquet")),
    "known structures": Reader(
        "k.parquet", lambda f: known_structures(f / "k.parquet"), lambda f: matched(f / "k.parquet")
    ),
    "prototypes": Reader("l.parquet", lambda f: library(f / "l.parquet"), lambda f: load_library(f / "l.parquet")),
    "references": Reader("r.json", lambda f: references(f / "r.json"), lambda f: References.from_file(f / "r.json")),
    "labels": Reader("t.csv", lambda f: labels(f / "t.csv"), lambda f: read_labelled(f / "t.csv")),
    "import": Reader(
        "i.csv", lambda f: write_csv(f / "i.csv", bulk=[1.0, 2.0, 3.0, 4.0]), lambda f: imported(f / "i.csv")
    ),
    "table": Reader("p.parquet", lambda f: phases(f / "p.parquet"), lambda f: read_table(f / "p.parquet")),
    "log of a loop": Reader(
        "rounds.csv",
        lambda f: pd.DataFrame({"round": [0, 1], "sun": [0.3, 0.5]}).to_csv(f / "rounds.csv", index=False),
        lambda f: _read_log(f / "rounds.csv"),
    ),
    "posterior": Reader(
        "p.json",
        lambda f: (f / "p.json").write_text(json.dumps(POSTERIOR_FIELDS)),
        lambda f: read_json(f / "p.json", Posterior),
    ),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The files before any damage, made once each."""
    made = {}

    def original(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("original")
            READERS[name].make(made[name])
        return made[name]

    return original


@pytest.fixture
def sealed(monkeypatch):
    """No connection leaves."""

    def refuse(*_):
        raise AssertionError("a file that was read asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def peak():
    """Most memory of this process since the last call, bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    found = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    return int(found.split()[1]) << 10


def damage(name, original, folder, seeds):
    """Damage the file of a reader once for each seed, and read it."""
    reader = READERS[name]
    reader.read(original)  # it is read before it is damaged
    outcomes = {"read": 0, "refused": 0}
    for seed in seeds:
        place = folder / str(seed)
        shutil.copytree(original, place)
        how = mutate(place / reader.damaged, seed)
        modules, start, before = set(sys.modules), time.monotonic(), peak()
        try:
            reader.read(place)
            outcomes["read"] += 1
        except CrystalGFNError as error:
            line = str(error)
            assert "\n" not in line, (seed, how, line)
            assert len(line) < 5_000, (seed, how, line[:300])
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, {how}: {type(error).__name__}: {error}") from error
        assert time.monotonic() - start < SECONDS, (seed, how)
        assert peak() - before < BYTES, (seed, how)
        fresh = [sys.modules[each] for each in set(sys.modules) - modules]
        assert not [each for each in fresh if str(place) in str(getattr(each, "__file__", ""))], (seed, how)
        shutil.rmtree(place)
    return outcomes


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused_in_a_line(name, originals, tmp_path, sealed):
    outcomes = damage(name, originals(name), tmp_path, range(A_FEW))
    assert outcomes["refused"], "no damage was noticed: nothing reads this file"


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", READERS)
def test_a_night_of_damaged_files(name, originals, tmp_path, sealed):
    damage(name, originals(name), tmp_path, range(1000, 1000 + A_NIGHT))
