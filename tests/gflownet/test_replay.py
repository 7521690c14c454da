"""The replay buffer keeps the best states, gives them back from a checkpoint, and draws from them alone."""

import pytest
import torch

from crystalgfn.gflownet.replay import ReplayBuffer
from policy_setup import random_policy, small_space


def drawn(number):
    space = small_space()
    return random_policy(space, 0).sample(number, space, generator=torch.Generator().manual_seed(0)).states


def test_the_best_are_kept_whenever_they_came():
    states, log_reward = drawn(30), torch.arange(30.0).remainder(7)
    buffer = ReplayBuffer(10)
    for part in (slice(0, 4), slice(4, 30)):
        buffer.add(states[part], log_reward[part])
    assert len(buffer) == len(buffer.states) == 10
    assert torch.equal(buffer.log_reward.sort().values, log_reward.sort().values[-10:])
    for group, value in zip(buffer.states.space_group, buffer.log_reward, strict=True):
        assert group in states.space_group[log_reward == value]


def test_what_was_saved_comes_back():
    buffer, again, states = ReplayBuffer(10), ReplayBuffer(10), drawn(6)
    assert buffer.state_dict() == {}
    buffer.add(states, torch.arange(6.0))
    again.load_state_dict(buffer.state_dict())
    assert torch.equal(again.log_reward, buffer.log_reward)
    for name, value in states.tensors().items():
        assert torch.equal(again.states.tensors()[name], value)
    one, other = (b.sample(50, generator=torch.Generator().manual_seed(1)) for b in (buffer, again))
    assert torch.equal(one[1], other[1])
    assert torch.equal(one[0].u, states.u[one[1].long()])


def test_an_empty_buffer_has_nothing_to_draw():
    with pytest.raises(ValueError, match="empty"):
        ReplayBuffer(3).sample(1, generator=torch.Generator())
