"""The shipped models: what they predict for crystals everybody knows, and what they must not depend on."""

import json

import pytest
import torch

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError, PropertyError
from crystalgfn.proxies.data.bounds import random_crystals
from crystalgfn.proxies.models import ProxyProperty, read_card, save_model, shipped_models
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.registry import build
from property_data import cubic, one

NAMES = ("formation_energy", "formation_energy_paper")
PAPER_ELEMENTS = tuple(SYMBOLS.index(s) for s in ("H", "Li", "C", "N", "O", "F", "Mg", "Si", "P", "S", "Cl", "Fe"))


MAGNESIA = pytest.mark.xfail(
    reason="rock-salt MgO, a test formula far from all training crystals, is 0.8 to 0.9 eV/atom too high", strict=True
)
DIAMOND = pytest.mark.xfail(reason="formation_energy has Si lowest at 0.82 and MgO at 1.20 of the volume", strict=True)
"""Strict: the day better weights ship, these marks must go."""


@pytest.fixture(scope="module", params=NAMES)
def model(request) -> ProxyProperty:
    return ProxyProperty.load(request.param)


def random_batch(size: int, seed: int = 0) -> Crystals:
    groups = torch.tensor([2, 12, 14, 62, 63, 123, 139, 148, 166, 194, 221, 225, 227])
    counts = torch.ones(len(groups), len(PAPER_ELEMENTS), dtype=torch.int64)
    known = Crystals(PAPER_ELEMENTS, groups, counts, torch.ones(len(groups), 6, dtype=torch.float64))
    return random_crystals(known, size, seed=seed)


# measured formation enthalpies at 298 K (CRC handbook), eV/atom; the labels are PBE with corrections
@pytest.mark.parametrize(
    ("counts", "group", "lattice", "measured"),
    [
        ({"Na": 4, "Cl": 4}, 225, cubic(5.64), -2.13),
        pytest.param({"Mg": 4, "O": 4}, 225, cubic(4.21), -3.12, marks=MAGNESIA),
        ({"Li": 4, "F": 4}, 225, cubic(4.03), -3.19),
        ({"Ti": 2, "O": 4}, 136, (4.59, 4.59, 2.96, 90, 90, 90), -3.26),
        ({"Zn": 4, "S": 4}, 216, cubic(5.41), -1.06),
        ({"Si": 8}, 227, cubic(5.43), 0.0),
    ],
)
def test_known_crystals(model, counts, group, lattice, measured):
    assert float(model(one(counts, group, lattice))) == pytest.approx(measured, abs=0.35)


@DIAMOND
def test_volume_awareness():
    model = ProxyProperty.load("formation_energy")
    for counts, a in (({"Na": 4, "Cl": 4}, 5.64), ({"Mg": 4, "O": 4}, 4.21), ({"Si": 8}, 5.43)):
        group = 227 if "Si" in counts else 225
        ratios = torch.linspace(0.5, 2.5, 81)
        cells = [one(counts, group, cubic(a * float(r) ** (1 / 3))) for r in ratios]
        energy = model(Crystals.concatenate(cells))
        assert 0.85 < float(ratios[energy.argmin()]) < 1.2
        assert float(energy[0] - energy.min()) > 1.0
        assert float(energy[-1] - energy.min()) > 0.5


def test_strain_never_pays():
    model = ProxyProperty.load("formation_energy")
    crystals = random_batch(500)
    inputs = model._featuriser(crystals)
    lead = type(inputs)(**{name: value[None] for name, value in vars(inputs).items()})
    relaxed, cell = model.network.parts(lead, model.network.tables())
    assert bool((cell.energy >= 0).all())
    # and what is relaxed does not see the cell
    other = Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice * 1.1)
    moved = {name: value[None] for name, value in vars(model._featuriser(other)).items()}
    assert torch.equal(model.network.parts(type(inputs)(**moved), model.network.tables())[0], relaxed)


def test_order_of_columns_batches_and_zero_columns_do_not_matter(model):
    crystals = random_batch(64)
    expected = model(crystals)
    permuted = crystals.with_elements((92, *reversed(crystals.elements)))
    assert torch.allclose(model(permuted), expected, atol=1e-5)
    pieces = torch.cat([model(crystals[i : i + 7]) for i in range(0, 64, 7)])
    assert torch.allclose(pieces, expected, atol=1e-4)


def test_nothing_random_looks_better_than_real_crystals(model):
    energy = model(random_batch(4000))
    assert float(energy.min()) > -4.2  # MgF2, the most stable of these elements, stands at -3.9
    assert float(energy.median()) > -2.0


def test_deviation_is_the_spread_of_the_members(model):
    mean, deviation = model.with_deviation(random_batch(50))
    assert torch.allclose(mean, model(random_batch(50)))
    assert bool((deviation >= 0).all())
    assert float(deviation.mean()) > 0.001


def test_unknown_elements_are_named(model):
    salt = one({"Na": 4, "Cl": 4}, 225, cubic(5.64)).with_elements((11, 17, 85))
    with pytest.raises(PropertyError, match=r"knows nothing of At \(first in NaAt\)"):
        model(Crystals.concatenate([salt, one({"Na": 4, "At": 4}, 225, cubic(6.5))]))
    # a column without atoms is no question
    assert model(salt).shape == (1,)


def test_cards_are_complete(model):
    card = read_card(shipped_models()[model.name])
    assert len(card["data"]["sha256"]) == 64
    assert card["metrics"]["real"]["groups"]["all"]["mae"] < (0.061 if model.name == "formation_energy" else 0.055)
    assert any("CC BY 4.0" in line for line in card["citations"])
    assert set(card["domain"]["elements"]) >= {SYMBOLS[z] for z in PAPER_ELEMENTS}
    text = (shipped_models()[model.name] / "card.md").read_text()
    assert card["command"] in text


def test_models_are_small(model):
    assert sum(p.stat().st_size for p in shipped_models()[model.name].iterdir()) < 8_000_000


@pytest.mark.parametrize("kind", ["set", "volume", "table1"])
def test_save_and_load(tmp_path, kind):
    torch.manual_seed(0)
    network = build(NetworkConfig(kind=kind, members=2 if kind != "table1" else 1))
    card = {"name": "x", "unit": "eV/atom", "domain": {"elements": [SYMBOLS[z] for z in PAPER_ELEMENTS]}}
    save_model(tmp_path / "x", network, card, "text", half=False)
    save_model(tmp_path / "x", network, card, "text", half=False)  # replaces
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == ["card.json", "card.md", "weights.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    crystals = random_batch(20)
    assert torch.equal(ProxyProperty.load(tmp_path / "x")(crystals), ProxyProperty(network, card)(crystals))


def test_broken_folders(tmp_path):
    with pytest.raises(CheckpointError, match=r"no model .*nearest: 'formation_energy'"):
        ProxyProperty.load("formation_energie")
    source = shipped_models()["formation_energy"]
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(CheckpointError, match="unreadable model card"):
        ProxyProperty.load(tmp_path)
    card = json.loads((source / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps({**card, "format": 99}))
    with pytest.raises(CheckpointError, match="format 99, allowed: 1"):
        ProxyProperty.load(tmp_path)
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="no such file"):
        ProxyProperty.load(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes((source / "weights.safetensors").read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="unreadable weights"):
        ProxyProperty.load(tmp_path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_same_on_the_gpu(model):
    crystals = random_batch(100)
    expected = model(crystals)
    found = ProxyProperty.load(model.name)(crystals.to("cuda"))
    assert found.is_cuda
    assert torch.allclose(found.cpu(), expected, atol=1e-3)
