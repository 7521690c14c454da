"""Crystals: slicing, joining, derived quantities against pymatgen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

import crystalgfn
from crystal_strategies import crystals
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError


@pytest.fixture
def three() -> Crystals:
    """MgO (225), alpha-quartz (154) and a triclinic LiFePO4 that does not exist."""
    return Crystals(
        elements=(3, 8, 12, 14, 15, 26),
        space_group=torch.tensor([225, 154, 2]),
        counts=torch.tensor([[0, 4, 4, 0, 0, 0], [0, 6, 0, 3, 0, 0], [2, 8, 0, 0, 2, 2]]),
        lattice=torch.tensor(
            [[4.212, 4.212, 4.212, 90, 90, 90], [4.913, 4.913, 5.405, 90, 90, 120], [5, 6, 7, 80, 85, 95]],
            dtype=torch.float64,
        ),
        columns={
            "formation_energy [eV/atom]": np.array([-3.0, -3.1, -2.5]),
            "note": np.array(["a", None, "c"], object),
        },
    )


def test_quantities_of_known_crystals(three):
    assert three.formulas == ["MgO", "SiO2", "LiFePO4"]
    assert three.elements_json == ['{"Mg": 4, "O": 4}', '{"Si": 3, "O": 6}', '{"Li": 2, "Fe": 2, "P": 2, "O": 8}']
    assert three.n_atoms.tolist() == [8, 9, 14]
    assert three.density[:2].tolist() == pytest.approx([3.58, 2.65], abs=0.01)  # measured: periclase, quartz
    assert three.volume_per_atom[0].item() == pytest.approx(4.212**3 / 8)


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
@settings(max_examples=60, deadline=None)
@given(crystals(min_size=1))
def test_quantities_agree_with_pymatgen(batch):
    for row, (composition, lattice) in enumerate(zip(batch.compositions, batch.lattices, strict=True)):
        assert batch.volume[row].item() == pytest.approx(lattice.volume, rel=1e-9)
        assert Composition(batch.formulas[row]).reduced_composition == composition.reduced_composition
        assert batch.n_atoms[row].item() == composition.num_atoms
        # pymatgen rounds some atomic masses to fewer digits
        density = composition.weight / lattice.volume / 0.602214076
        assert batch.density[row].item() == pytest.approx(density, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(crystals(), st.data())
def test_every_index_takes_the_same_rows_of_every_field(batch, data):
    size = len(batch)
    rows = data.draw(st.lists(st.integers(-size, size - 1), max_size=5)) if size else []
    mask = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    cut = data.draw(st.slices(size))
    for index, positions in (
        (rows, rows),
        (np.array(rows, dtype=int), rows),
        (torch.tensor(rows, dtype=torch.int64), rows),
        (np.array(mask, dtype=bool), np.flatnonzero(mask).tolist()),
        (torch.tensor(mask, dtype=torch.bool), np.flatnonzero(mask).tolist()),
        (cut, list(range(size))[cut]),
    ):
        part = batch[index]
        assert len(part) == len(positions)
        assert part.formulas == [batch.formulas[i] for i in positions]
        assert part.lattice.tolist() == [batch.lattice[i].tolist() for i in positions]
        for name, values in batch.columns.items():
            np.testing.assert_array_equal(part.columns[name], values[[i % size for i in positions]])


@settings(max_examples=40, deadline=None)
@given(crystals(min_size=1), st.data())
def test_concatenating_the_pieces_gives_the_whole(batch, data):
    cut = data.draw(st.integers(0, len(batch)))
    assert Crystals.concatenate([batch[:cut], batch[cut:]]).equals(batch)


def test_concatenating_other_elements_gives_their_union(three):
    reordered = three[0].with_elements((12, 8))
    joined = Crystals.concatenate([reordered, three[1].with_elements((14, 8))])
    assert joined.elements == (12, 8, 14)
    assert joined.formulas == ["MgO", "SiO2"]


def test_columns_are_found_with_and_without_unit(three):
    assert three.column("formation_energy")[1] == -3.1
    assert three.column("formation_energy [eV/atom]")[1] == -3.1
    with pytest.raises(DataError, match=r"no column 'formation_enrgy'.*nearest: 'formation_energy"):
        three.column("formation_enrgy")
    more = three.with_columns(log_reward=torch.tensor([1.0, 2.0, 3.0]))
    assert more.column("log_reward").dtype == np.float64
    assert "log_reward" not in three.columns


def test_crystals_are_frozen_and_equality_is_of_values(three):
    with pytest.raises(AttributeError):
        three.counts = three.counts + 1
    again = three[torch.arange(3)]
    assert again is not three
    assert again.equals(three)
    shifted = Crystals(three.elements, three.space_group, three.counts, three.lattice.nextafter(three.lattice * 2))
    assert not shifted.equals(three.with_columns())
    assert not three.with_columns(note=["a", None, "d"]).equals(three)
    zero = three.with_columns(x=[0.0, 0.0, 0.0])
    assert not three.with_columns(x=[0.0, -0.0, 0.0]).equals(zero)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elements": (8, 8)}, "twice"),
        ({"space_group": torch.ones(1, 1)}, r"allowed: \(B,\)"),
        ({"counts": torch.ones(2, 2)}, r"counts have shape \(2, 2\), allowed: \(1, 2\)"),
        ({"lattice": torch.ones(1, 5)}, r"lattice has shape"),
        ({"columns": {"x": np.ones(2)}}, r"column 'x' has shape \(2,\)"),
        ({"columns": {"x": np.ones(1, dtype=complex)}}, "complex"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    fields = {
        "elements": (8, 12),
        "space_group": torch.ones(1),
        "counts": torch.ones(1, 2),
        "lattice": torch.ones(1, 6),
    }
    with pytest.raises(DataError, match=message):
        Crystals(**{**fields, **change})


def test_impossible_requests_are_refused(three):
    with pytest.raises(DataError, match=r"position 3 of 3 crystals, allowed: -3\.\.2"):
        three[3]
    with pytest.raises(DataError, match="mask"):
        three[torch.tensor([True])]
    with pytest.raises(DataError, match="0 batches"):
        Crystals.concatenate([])
    with pytest.raises(DataError, match="note"):
        Crystals.concatenate([three, Crystals(three.elements, three.space_group, three.counts, three.lattice)])
    with pytest.raises(DataError, match="Mg has atoms"):
        three.with_elements((8, 14, 3, 15, 26))


def test_tensors_move_to_a_device_and_columns_stay(three):
    moved = three.to("meta")
    assert moved.device.type == "meta"
    assert moved.columns["note"][0] == "a"
    assert three.to("cpu").equals(three)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_everything_works_on_cuda(three):
    moved = three.to("cuda")
    assert moved.formulas == three.formulas
    assert torch.allclose(moved.density.cpu(), three.density)
    assert moved[moved.density > 3].formulas == ["MgO"]
    assert Crystals.from_dataframe(moved.to_dataframe()).equals(three)


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, time; start = time.perf_counter(); import crystalgfn; took = time.perf_counter() - start\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pymatgen', 'pyarrow', 'moyopy'} & set(sys.modules)\n"
        "assert not heavy, heavy; assert took < 0.3, took; assert 'Crystals' in dir(crystalgfn)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names():
    assert crystalgfn.Crystals is Crystals
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = crystalgfn.nothing
