"""Refining a trained model: it learns what candidates show, holds what it knew, and is not changed itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.proxies.data.bounds import random_crystals
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.hyperparameters import REFINE
from crystalgfn.proxies.models import ProxyProperty, save_model
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.refine import errors_by_kind, kinds_of, refine, refined_card

ELEMENTS = (3, 8, 9, 12)
QUICK = replace(REFINE, epochs=2, batch_size=32, extra_size=32)


def crystals(number, seed):
    like = Crystals(ELEMENTS, torch.arange(1, 231), torch.ones(230, 4, dtype=torch.int64), torch.ones(230, 6))
    return random_crystals(like, number, seed=seed)


def table(held, target, **columns):
    return LabelledCrystals(
        replace(held, columns={k: np.asarray(v) for k, v in columns.items()}), target, "0" * 64, "made up"
    )


@pytest.fixture(scope="module")
def model():
    return ProxyProperty.load("formation_energy")


def outcomes(model, number, seed):
    """Candidates that come out 0.3 eV/atom above the prediction, and 0.1 more with fluorine."""
    held = crystals(number, seed)
    fluorine = (held.counts[:, ELEMENTS.index(9)] > 0).numpy()
    return table(held, model(held).double().numpy() + 0.3 + 0.1 * fluorine)


NONE = table(crystals(3, 9), np.zeros(3))


def test_it_learns_what_candidates_have_in_common_and_leaves_the_model_alone(model):
    seen, unseen = outcomes(model, 80, 1), outcomes(model, 60, 2)
    before = model(unseen.crystals).clone()
    refined = ProxyProperty(refine(model, seen, NONE, seed=0, hyperparameters=QUICK), model.card)
    assert errors_by_kind(model, unseen)["at rest"] > 0.3
    assert errors_by_kind(refined, unseen)["at rest"] < 0.2
    assert torch.equal(model(unseen.crystals), before)


def test_real_crystals_that_are_rehearsed_hardly_move(model):
    salts = Crystals(
        ELEMENTS,
        torch.tensor([225] * 4),
        torch.tensor([[4, 0, 4, 0], [0, 4, 0, 4], [8, 4, 0, 0], [0, 0, 8, 4]]),
        torch.tensor([[a, a, a, 90.0, 90.0, 90.0] for a in (4.0, 4.2, 4.6, 4.9)]),
    )
    many = Crystals.concatenate([salts] * 50)
    known = table(many, model(many).double().numpy())
    refined = ProxyProperty(
        refine(model, outcomes(model, 80, 1), NONE, rehearsal=known, seed=0, hyperparameters=QUICK), model.card
    )
    assert float((refined(salts) - model(salts)).abs().max()) < 0.15


def test_copies_with_other_volumes_teach_the_cell(model):
    rested = crystals(40, 3)
    energy = model(rested).double().numpy()
    factor = 1.3
    lattice = rested.lattice.clone()
    lattice[:, :3] *= factor ** (1 / 3)
    both = Crystals.concatenate([replace(rested, columns={}), replace(rested, lattice=lattice, columns={})])
    names = [f"r-{i}" for i in range(40)]
    copies = table(
        both,
        np.concatenate([energy, energy + 0.8]),
        material_id=[*names, *(f"{name}-x1.3" for name in names)],
        source=["chgnet"] * 40 + ["chgnet scaled"] * 40,
    )
    assert kinds_of(copies).tolist() == ["at rest"] * 40 + ["scaled"] * 40
    hyperparameters = replace(QUICK, epochs=6)
    refined = ProxyProperty(
        refine(model, table(rested, energy), copies, seed=0, hyperparameters=hyperparameters), model.card
    )
    assert errors_by_kind(refined, copies)["scaled"] < 0.8 * errors_by_kind(model, copies)["scaled"]


def test_the_same_seed_gives_the_same_network_and_it_can_be_stored(model, tmp_path):
    seen = outcomes(model, 30, 1)
    one, two = (refine(model, seen, NONE, seed=4, hyperparameters=QUICK) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    save_model(tmp_path / "proxy", one, *refined_card(model, seen, NONE, 4))
    stored = ProxyProperty.load(tmp_path / "proxy")
    held = crystals(10, 5)
    torch.testing.assert_close(stored(held), ProxyProperty(one, model.card)(held), atol=0.02, rtol=0)  # half precision
    assert stored.card["refined"][0]["outcomes"] == 30


def test_a_network_without_such_a_readout_is_refused(model):
    network = build(NetworkConfig(kind="table1", members=1))
    other = ProxyProperty(network, model.card)
    with pytest.raises(PropertyError, match="'table1' cannot be refined"):
        refine(other, outcomes(model, 10, 1), NONE)
