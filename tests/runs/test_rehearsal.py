"""A rehearsal writes nothing, and changes nothing of a training."""

from __future__ import annotations

import torch

from crystalgfn.config import parse_config
from crystalgfn.runs.rehearsal import rehearse
from small_run import small_config


def test_it_gives_the_space_and_keeps_the_generator():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    space = rehearse(small_config())
    assert torch.equal(torch.get_rng_state(), before)
    assert len(space.elements) == 4


def test_conditional_models_are_rehearsed_with_a_condition():
    content = small_config().model_dump(mode="json")
    content["objective"] = [{"property": "density", "goal": "maximise", "weights": [0.1, 10]}]
    assert len(rehearse(parse_config(content)).elements) == 4
