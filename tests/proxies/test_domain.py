"""Distance from the training data: what is near, what is far, and that a folder gives it back."""

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import write_tensors
from crystalgfn.properties.registry import resolve
from crystalgfn.proxies.data.bounds import random_crystals
from crystalgfn.proxies.domain import TrainingDomain
from crystalgfn.proxies.models import DOMAIN, ProxyProperty
from property_data import cubic, one, table

KNOWN = Crystals.concatenate(
    [
        one({"Na": 4, "Cl": 4}, 225, cubic(5.64)),
        one({"Fe": 2}, 229, cubic(2.87)),
        one({"Ga": 4, "As": 4}, 216, cubic(5.65)),
        one({"Sr": 1, "Ti": 1, "O": 3}, 221, cubic(3.91)),
    ]
)


@pytest.fixture(scope="module")
def made():
    crystals = Crystals.from_dataframe(table(300))
    return crystals, TrainingDomain.fit(crystals)


def scaled(crystals, ratio):
    lattice = crystals.lattice.clone()
    lattice[:, :3] *= ratio ** (1 / 3)
    return Crystals(crystals.elements, crystals.space_group, crystals.counts, lattice)


def test_training_crystals_are_within_the_edge(made):
    crystals, domain = made
    assert float((domain.distance(crystals) <= 1).float().mean()) > 0.75
    assert all(part.shape == (300,) for part in domain.parts(crystals))


def test_each_space_counts(made):
    crystals, domain = made
    near = domain.distance(crystals).median()
    assert domain.distance(scaled(crystals, 0.5)).median() > 3 * near
    other = Crystals(crystals.elements, torch.full((300,), 47), crystals.counts, crystals.lattice)
    assert domain.distance(other).median() > near
    foreign = one({"Au": 4, "U": 4}, 225, cubic(5.2))
    assert float(domain.parts(foreign)[0]) > 1


def test_the_same_seed_gives_the_same(made):
    crystals, domain = made
    again = TrainingDomain.fit(crystals)
    for name, tensor in domain.tensors().items():
        assert torch.equal(tensor, getattr(again, name)), name


def test_a_folder_gives_it_back(made, tmp_path):
    crystals, domain = made
    write_tensors(tmp_path / DOMAIN, domain.tensors(), {})
    assert torch.equal(TrainingDomain.load(tmp_path).distance(crystals), domain.distance(crystals))
    write_tensors(tmp_path / DOMAIN, {"vectors": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match="does not fit"):
        TrainingDomain.load(tmp_path)


def test_columns_of_zeros_and_their_order_do_not_matter():
    wide = KNOWN.with_elements([*reversed(KNOWN.elements), 92])
    distance = resolve("domain_distance")
    assert torch.allclose(distance(KNOWN), distance(wide), atol=1e-5)


def test_real_crystals_are_nearer_than_nonsense():
    distance = resolve("domain_distance")
    assert float(distance(KNOWN).max()) < 1.5
    nonsense = random_crystals(KNOWN, 200, seed=0)
    assert float(distance(nonsense).median()) > 1.3 * float(distance(KNOWN).median())
    for ratio in (0.5, 3.0):
        assert bool((distance(scaled(KNOWN, ratio)) > 1.5).all())


def test_a_model_is_less_sure_far_away():
    model = ProxyProperty.load("formation_energy")
    sure = model.with_deviation(KNOWN)[1]
    assert bool((sure > 0).all())
    assert float(model.with_deviation(random_crystals(KNOWN, 200, seed=0))[1].median()) > 2 * float(sure.median())
    assert bool((model.with_deviation(scaled(KNOWN, 0.5))[1] > sure).all())


def test_a_large_batch_gives_the_same_deviation():
    model = ProxyProperty.load("formation_energy")
    many = random_crystals(KNOWN, 300, seed=1)
    parts = [model.with_deviation(many[slice(start, start + 100)])[1] for start in (0, 100, 200)]
    assert np.allclose(model.with_deviation(many)[1], torch.cat(parts), atol=1e-4)
