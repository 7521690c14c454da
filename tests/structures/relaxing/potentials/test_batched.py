"""Many crystals at once give what each gives alone: the code of GPUs, here on the CPU."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.structures.candidates.engines.batched import BatchedEngine
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.workers import Tools
from crystalgfn.structures.relaxing.potentials.batched import BatchedPotential
from crystalgfn.structures.relaxing.potentials.batcher import Batcher
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.chgnet import CHGNet
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.registry import BATCHED, POTENTIALS, load_potential
from crystalgfn.structures.relaxing.relaxation import Schedule, SinglePoint

pytestmark = pytest.mark.usefixtures("ended_in_time")

RUTILE = Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.8, 3.0), ["Mg", "F"], [[0, 0, 0], [0.32, 0.32, 0]])
LOW = Structure(Lattice.from_parameters(3.4, 3.7, 4.4, 85, 95, 100), ["Na", "Cl"], [[0, 0, 0], [0.48, 0.53, 0.51]])
LEFT = Structure(Lattice(LOW.lattice.matrix[[1, 0, 2]]), LOW.species, LOW.cart_coords, coords_are_cartesian=True)
ALONE = Structure(Lattice.cubic(30), ["Na"], [[0, 0, 0]])
ALLOY = Crystals(
    elements=(29, 79),
    space_group=torch.tensor([221, 1, 225]),
    counts=torch.tensor([[3, 1], [2, 1], [4, 0]]),
    lattice=torch.tensor(
        [[3.8, 3.8, 3.8, 90.0, 90.0, 90.0], [3.9, 4.1, 4.3, 85.0, 95.0, 100.0], [3.7, 3.7, 3.7, 90.0, 90.0, 90.0]]
    ),
)
GOLD = References({29: 0.0, 79: 0.0}, "emt")


class Many:
    """EMT as a network for many structures, with memory for so many atoms."""

    def __init__(self, memory=10**9):
        self.memory, self.calls = memory, []

    def energies(self, structures):
        return [point.energy / len(point.forces) for point in self.points(structures)]

    def points(self, structures):
        self.calls.append(len(structures))
        if sum(map(len, structures)) > self.memory:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return [self._point(AseAtomsAdaptor.get_atoms(structure, msonable=False)) for structure in structures]

    @staticmethod
    def _point(atoms):
        atoms.calc = EMT()
        return SinglePoint(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False))


@pytest.fixture
def many(monkeypatch):
    """EMT under one name, one crystal after the other and many at once."""
    model = Many()
    monkeypatch.setitem(POTENTIALS, "emt", lambda given: CalculatorPotential("emt", EMT(), GOLD))
    monkeypatch.setitem(BATCHED, "emt", lambda given, batcher: BatchedPotential("emt", model, batcher, GOLD))
    return model


@pytest.mark.parametrize("name", ["chgnet", "7net-0"])
def test_two_crystals_at_once_end_as_each_does_alone(name):
    pytest.importorskip({"chgnet": "chgnet", "7net-0": "sevenn"}[name])
    alone, together = load_potential(name), load_potential(name, batcher=Batcher("cpu"))
    given = [RUTILE, LOW, LEFT]
    np.testing.assert_allclose(together.energies(given), alone.energies(given), atol=1e-4)
    schedule = Schedule(steps=6, free_steps=2)
    pair = [RUTILE, LOW]
    for ours, theirs in zip(
        together.relax(pair, seed=1, schedule=schedule), alone.relax(pair, seed=1, schedule=schedule), strict=True
    ):
        assert ours.energy == pytest.approx(theirs.energy, abs=1e-4)
        assert ours.energy_initial == pytest.approx(theirs.energy_initial, abs=1e-4)
        assert (ours.space_group, ours.symmetric.steps) == (theirs.space_group, theirs.symmetric.steps)
        assert ours.failure == theirs.failure
        np.testing.assert_allclose(ours.structure.lattice.matrix, theirs.structure.lattice.matrix, atol=1e-3)
    assert together.relax([RUTILE], seed=1, schedule=schedule)[0].symmetric.space_group == 136


@pytest.mark.parametrize("name", ["chgnet", "7net-0"])
def test_forces_and_stresses_of_a_batch_are_those_of_the_calculator(name):
    pytest.importorskip({"chgnet": "chgnet", "7net-0": "sevenn"}[name])
    alone, together = load_potential(name), load_potential(name, batcher=Batcher("cpu"))
    raw, batched = (getattr(potential, "_raw", potential) for potential in (alone, together))
    for structure, point in zip([RUTILE, LOW, LEFT], batched._model.points([RUTILE, LOW, LEFT]), strict=True):
        atoms = AseAtomsAdaptor.get_atoms(structure)
        atoms.calc = raw.calculator()
        assert point.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
        np.testing.assert_allclose(point.forces, atoms.get_forces(), atol=1e-4)
        np.testing.assert_allclose(point.stress, atoms.get_stress(voigt=False), atol=1e-5)
        assert np.abs(point.stress).max() > 1e-3


def test_a_crystal_that_the_network_refuses_leaves_the_others_as_they_are():
    pytest.importorskip("chgnet")
    potential = load_potential("chgnet", batcher=Batcher("cpu"))
    energies = potential.energies([LOW, ALONE, RUTILE])
    assert np.isfinite(energies).tolist() == [True, False, True]
    _, lost = potential.relax([LOW, ALONE], seed=0, schedule=Schedule(steps=1, free_steps=0))
    assert lost.failure == "the potential gives no energy at any volume of the pre-scan"


def test_a_folder_has_the_same_rows_and_columns_and_the_steps_were_shared(many, tmp_path):
    ALLOY.to_parquet(tmp_path / "crystals.parquet")
    settings = SearchSettings(placements=4, tried=3, relaxed=2, steps=10, free_steps=10)
    tools = Tools("emt", hull="", library="")
    found = {}
    for name, engine in (("alone", LocalEngine(1)), ("together", BatchedEngine("cpu", 3))):
        folder = run(tmp_path / "crystals.parquet", tmp_path / name, tools, settings, engine=engine)
        found[name] = pd.read_parquet(folder.path / "structures.parquet").drop(
            columns=["seconds", "seconds_cpu", "seconds_relax"]
        )
    pd.testing.assert_frame_equal(found["together"], found["alone"], atol=1e-6)
    assert max(many.calls) >= 12  # all placements of all crystals in the first call
    assert (tmp_path / "together" / "manifest.json").read_text() == (tmp_path / "alone" / "manifest.json").read_text()


def test_where_memory_ends_what_is_done_stays_and_the_run_goes_on_later(many, tmp_path, monkeypatch):
    ALLOY.to_parquet(tmp_path / "crystals.parquet")
    settings = SearchSettings(placements=2, relaxed=1, steps=3, free_steps=0)
    tools, where = Tools("emt", hull="", library=""), tmp_path / "run"
    first = many.points

    def full(structures):
        many.memory = 1 if len(list(where.glob("parts/*"))) else 12
        return first(structures)

    monkeypatch.setattr(many, "points", full)
    with pytest.raises(PropertyError, match="no memory left"):
        run(tmp_path / "crystals.parquet", where, tools, settings, engine=BatchedEngine("cpu", 1))
    assert pd.read_parquet(where / "structures.parquet")["row"].tolist() == [0]
    monkeypatch.setattr(many, "points", first)
    many.memory = 12  # three crystals at once do not fit
    run(tmp_path / "crystals.parquet", where, tools, settings, engine=BatchedEngine(), resume=True)
    assert pd.read_parquet(where / "structures.parquet")["status"].tolist() == ["relaxed"] * 3


def test_what_does_not_fit_or_has_no_batches_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(PropertyError, match=r"potential on cuda: found 'a:b', allowed: chgnet, 7net-l3i5, 7net-0"):
        load_potential("a:b", batcher=Batcher("cuda"))

    def full(references, batcher):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setitem(BATCHED, "chgnet", full)
    with pytest.raises(PropertyError, match="chgnet: its weights do not fit into the free memory of the device"):
        load_potential("chgnet", batcher=Batcher("cuda"))
    monkeypatch.setitem(sys.modules, "chgnet.model", None)
    with pytest.raises(PropertyError, match=r"crystalgfn\[structures\]"):
        CHGNet("cuda")


def test_a_machine_without_a_gpu_is_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ALLOY.to_parquet(tmp_path / "crystals.parquet")
    where = tmp_path / "run"
    with pytest.raises(SystemExit) as stopped:
        main(["structures", str(tmp_path / "crystals.parquet"), "-o", str(where), "--device", "cuda"])
    assert stopped.value.code == 2
    found = capsys.readouterr().err
    assert found == "error: --device: found 'cuda', but this machine has no usable GPU; allowed here: cpu\n"
    assert not where.exists()


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        (["--workers", "2"], "--workers: no option of the engine 'batched', allowed: --device, --batch"),
        (["--engine", "ray"], "--device: no option of the engine 'ray'"),
    ],
)
def test_a_gpu_beside_processes_is_one_line(option, wanted, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    ALLOY.to_parquet(tmp_path / "crystals.parquet")
    table, where = str(tmp_path / "crystals.parquet"), tmp_path / "run"
    with pytest.raises(SystemExit) as stopped:
        main(["structures", table, "-o", str(where), "--device", "cuda", *option])
    assert stopped.value.code == 2
    assert wanted in capsys.readouterr().err
    assert not where.exists()


def test_the_command_takes_many_at_once(many, capsys, tmp_path):
    ALLOY.to_parquet(tmp_path / "crystals.parquet")
    table, where = str(tmp_path / "crystals.parquet"), tmp_path / "run"
    few = ["--placements", "4", "--tried", "1", "--relaxed", "1", "--steps", "3", "--hull", "none", "--library", "none"]
    words = ["-o", str(where), "--relax", "emt", "--engine", "batched", "--batch", "2", *few]
    with pytest.raises(SystemExit) as ended:
        main(["structures", table, *words])
    assert ended.value.code == 0
    assert "3 relaxed" in capsys.readouterr().out
    assert max(many.calls) > 4  # placements of two crystals
