"""Fine-tuned weights in a folder: written once, taken again by the same request, and sampled as any run."""

from __future__ import annotations

import pytest
import torch

import crystalgfn
from crystalgfn.config import parse_config
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.runs.finetuning import finetune_into
from crystalgfn.runs.model import Model, untrained
from small_run import small_config


@pytest.fixture(scope="module")
def narrow():
    return untrained(small_config()).restricted(required=["O"])


def test_weights_are_kept_taken_again_and_sampled(narrow, tmp_path, monkeypatch):
    folder = tmp_path / "tuned"
    tuned = finetune_into(folder, narrow, iterations=5, seed=2)
    assert all(
        torch.equal(value, narrow.finetuned(iterations=5, seed=2).policy.state_dict()[name])
        for name, value in tuned.policy.state_dict().items()
    )

    def trained_again(*args, **options):
        raise AssertionError

    monkeypatch.setattr(Model, "finetuned", trained_again)
    again = finetune_into(folder, narrow, iterations=5, seed=2)
    assert again.fingerprint == tuned.fingerprint
    loaded = crystalgfn.load(folder)
    assert loaded.config == narrow.config
    crystals = tuned.sample(50, seed=1)
    assert crystals.equals(again.sample(50, seed=1))
    assert crystals.equals(loaded.sample(50, seed=1))


@pytest.mark.parametrize(
    "limits", [{"n_atoms": [1, 8]}, {"n_elements": [1, 2]}, {"n_atoms": [1, 6], "required": ["O"]}]
)
@pytest.mark.parametrize("preset", ["small", "default"])
def test_a_policy_that_was_made_for_a_wider_space_is_found_again(tmp_path, limits, preset):
    """Layers are as large as the space of the training asks for, which narrower limits do not change."""
    model = untrained(small_config()) if preset == "small" else crystalgfn.load("default")
    narrow = model.restricted(**limits)
    tuned = finetune_into(tmp_path / "tuned", narrow, iterations=1, seed=2)
    crystals = tuned.sample(20, seed=1)
    loaded = crystalgfn.load(tmp_path / "tuned")
    assert loaded.config == narrow.config
    assert crystals.equals(loaded.sample(20, seed=1))
    assert crystals.equals(finetune_into(tmp_path / "tuned", narrow, iterations=1, seed=2).sample(20, seed=1))
    narrower = loaded.restricted(n_atoms=[1, 4])
    further = finetune_into(tmp_path / "further", narrower, iterations=1)
    drawn, again = further.sample(20, seed=3), crystalgfn.load(tmp_path / "further").sample(20, seed=3)
    assert drawn.formulas == again.formulas
    assert torch.equal(drawn.lattice, again.lattice)


def test_another_request_is_refused_by_its_key(narrow, tmp_path):
    finetune_into(tmp_path / "tuned", narrow, iterations=2)
    for options, words in (
        ({"iterations": 3}, "was started with iterations 2, found 3"),
        ({"iterations": 2, "seed": 1}, "was started with seed 0, found 1"),
    ):
        with pytest.raises(DataError, match=words):
            finetune_into(tmp_path / "tuned", narrow, **options)
    other = narrow.restricted(forbidden=["Mg"])
    with pytest.raises(DataError, match=r"was started with configuration\.constraints\.elements\.forbidden \[\]"):
        finetune_into(tmp_path / "tuned", other, iterations=2)


def test_a_prior_is_refused(tmp_path):
    content = small_config().model_dump(mode="json")
    content["training"] |= {"objective": {"likelihood": {"epochs": 2}}, "batch_size": 16}
    prior = untrained(parse_config({**content, "objective": []}))
    with pytest.raises(ConfigError, match="found a prior, allowed with a folder"):
        finetune_into(tmp_path / "tuned", prior, iterations=1)
    assert list(tmp_path.iterdir()) == []
