"""The learned estimate: what it is given, that order means nothing, and that its file is checked."""

import numpy as np
import pytest
import torch

from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import write_tensors
from crystalgfn.stability.estimate import LearnedEstimate, held_out, padded
from crystalgfn.stability.network import HullNetwork, Sizes

SMALL = Sizes(members=2, element=4, token=8, hidden=16, blocks=1)


def test_compositions_are_padded_to_the_most_elements():
    numbers, fractions = padded((3, 8, 12, 26), torch.tensor([[2, 1, 0, 0], [0, 0, 5, 0], [1, 4, 1, 2]]))
    assert numbers.tolist() == [[3, 8, 0, 0], [12, 0, 0, 0], [3, 8, 12, 26]]
    np.testing.assert_allclose(fractions[:2], [[2 / 3, 1 / 3, 0, 0], [1, 0, 0, 0]], rtol=1e-6)


def test_neither_order_nor_padding_nor_multiples_matter():
    torch.manual_seed(0)
    estimate = LearnedEstimate(HullNetwork(SMALL), spread=1.0, floor=0.01)
    elements, counts = (3, 8, 12, 26), torch.tensor([[2, 1, 0, 0], [1, 4, 1, 2], [0, 3, 1, 0]])
    mean, deviation = estimate(elements, counts)
    assert mean.dtype == torch.float64
    assert (deviation >= 0.01).all()
    assert len(set(mean.tolist())) == 3
    turned = estimate(tuple(reversed(elements)), 3 * counts.flip(1))
    torch.testing.assert_close(turned, (mean, deviation), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(estimate((3, 8), torch.tensor([[2, 1]]))[0], mean[:1], atol=1e-6, rtol=1e-5)


def test_no_compositions_have_no_energies():
    estimate = LearnedEstimate(HullNetwork(SMALL), spread=1.0, floor=0.01)
    assert [values.shape for values in estimate((11, 17), torch.zeros(0, 2, dtype=torch.long))] == [(0,), (0,)]


def test_pure_elements_are_at_zero_and_mixing_begins_from_there():
    network = HullNetwork(SMALL).eval()
    mean, _ = LearnedEstimate(network, spread=0.0, floor=0.0)((3, 8), torch.tensor([[5, 0], [100_000, 1], [1, 1]]))
    assert mean[0] == 0
    assert 0 < abs(mean[1]) < 1e-3 < abs(mean[2])


def test_the_deviation_joins_spread_and_floor():
    network = HullNetwork(SMALL).eval()
    counts = torch.tensor([[2, 1]])
    members = LearnedEstimate(network, spread=1.0, floor=0.0)((3, 8), counts)[1]
    joined = LearnedEstimate(network, spread=2.0, floor=0.3)((3, 8), counts)[1]
    assert float(joined) == pytest.approx(np.hypot(2 * float(members), 0.3))


def test_what_is_left_out_is_a_property_of_the_composition():
    systems = [{"Li": 1, "O": 1}, {"Mg": 1, "O": 1}, {"Na": 1, "Cl": 1}, {"Fe": 2, "O": 3}, {"Ba": 1, "Te": 1}]
    assert all(held_out(counts) == held_out({k: 6 * n for k, n in reversed(counts.items())}) for counts in systems)
    symbols = ["Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Sc", "Y", "Ti", "Zr", "V", "Nb", "Fe", "Co", "Ni"]
    pairs = [(one, other, n) for one in symbols for other in ("O", "S", "Se", "F", "Cl", "Br") for n in (1, 2, 3)]
    kinds = {pair: held_out({pair[0]: 1, pair[1]: pair[2]}) for pair in pairs}
    assert 0.03 < np.mean([kind == "system" for kind in kinds.values()]) < 0.12
    assert 0.01 < np.mean([kind == "formula" for kind in kinds.values()]) < 0.08
    for one, other, _ in pairs:  # of a system all or none
        assert len({kinds[one, other, n] == "system" for n in (1, 2, 3)}) == 1


def test_files_that_are_no_estimate_are_refused(tmp_path):
    path = tmp_path / "estimate.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        LearnedEstimate.load(path)
    network = HullNetwork(SMALL)
    header = {"sizes": network.described(), "spread": 1.0, "floor": 0.02}
    write_tensors(path, network.state_dict(), header)
    counts = torch.tensor([[2, 1]])
    expected = LearnedEstimate(network, spread=1.0, floor=0.02)((3, 8), counts)
    torch.testing.assert_close(LearnedEstimate.load(path)((3, 8), counts), expected)
    for broken in ({}, {**header, "sizes": {"members": 3}}, {**header, "sizes": {"layers": 1}}):
        write_tensors(path, network.state_dict(), broken)
        with pytest.raises(CheckpointError, match="no weights of an estimate of the hull"):
            LearnedEstimate.load(path)
