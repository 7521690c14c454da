"""A fourth subspace with its stage, registered in two lines: everything works for it, wherever it stands."""

from __future__ import annotations

import math

import pytest
import torch

from crystalgfn.gflownet.checkpoint import load_checkpoint, load_policy, save_checkpoint, save_policy
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.replay import ReplayBuffer
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.build import STAGES, policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.stages.composition import CompositionStage
from crystalgfn.policy.stages.lattice_steps import LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupStage
from crystalgfn.spaces.crystal import SUBSPACES
from direct_compositions import enumerate_directly
from policy_setup import mean_and_error, random_policy, short_ways_back, small_space, stage_sums
from spin_subspace import FORBIDDEN_GROUP, MOST, SpinSpace, SpinStage, SpinStates, SpinSteps, spin_policy, with_spin

PLACES = (0, 1, 2, 3)
GROUPS = (2, 62, 166, FORBIDDEN_GROUP)
STRENGTH = 0.5


def spin_space(place):
    return small_space(
        groups=GROUPS,
        elements=(3, 8, 9),
        n_atoms_primitive=(1, 5),
        subspaces=with_spin(place),
        state_type=SpinStates,
    )


def random_spin_policy(space, **options):
    torch.manual_seed(0)
    policy = short_ways_back(spin_policy(space, PolicyOptions(width=32, **options)))
    with torch.no_grad():
        policy.stages["spin"].spin.bias.copy_(torch.tensor([0.7, -0.4, 0.3]))
    return policy


class SpinTarget:
    """Log R = STRENGTH x spin."""

    def log_reward(self, states, condition=None):
        return STRENGTH * states.spin.float()


def exact_log_z(space, place):
    """By enumeration: how many spins a composition can have matters only where the spin comes after it."""
    names = [subspace.name for subspace in space.subspaces]
    after = names.index("spin") > names.index("composition")
    total = 0.0
    for group in space.groups.allowed.nonzero().flatten().tolist():
        for composition in enumerate_directly(space.elements, group, space.composition.constraints):
            most = min(MOST, len(composition)) if after else MOST
            total += sum(math.exp(STRENGTH * spin) for spin in range(1, most + 1))
    return math.log(total)


@pytest.mark.parametrize(
    ("place", "options"), [*((p, {}) for p in PLACES), (0, {"conditions": 1}), (2, {"shared": False})]
)
def test_the_mean_weight_is_the_partition_function(place, options):
    space = spin_space(place)
    policy = random_spin_policy(space, **options)
    condition = torch.rand(30_000, 1) if "conditions" in options else None
    drawn = policy.sample(30_000, space, condition=condition, generator=torch.Generator().manual_seed(1))
    assert set(drawn.states.spin.tolist()) == {1, 2, 3}
    with torch.no_grad():
        sums = stage_sums(policy.score(drawn, space))
    assert list(sums) == [subspace.name for subspace in space.subspaces]
    log_w = sum(sums.values()) + SpinTarget().log_reward(drawn.states) - exact_log_z(space, place)
    mean, error = mean_and_error(torch.exp(log_w))
    assert error < 0.03
    assert abs(mean - 1) < 4 * error, f"{mean} +- {error}"


@pytest.mark.parametrize("place", PLACES)
def test_subspaces_before_it_are_built_from_what_it_leaves(place):
    allowed = spin_space(place).groups.allowed.nonzero().flatten().tolist()
    assert allowed == [g for g in GROUPS if place == 0 or g != FORBIDDEN_GROUP]


@pytest.mark.parametrize("place", PLACES)
def test_backward_trajectories_score_as_forward_ones(place):
    space = spin_space(place)
    policy = random_spin_policy(space)
    forward = policy.sample(300, space, generator=torch.Generator().manual_seed(2))
    back = policy.sample_backward(forward.states, space, generator=torch.Generator().manual_seed(3))
    assert isinstance(back.states, SpinStates)
    for name, value in forward.states.tensors().items():
        assert torch.equal(back.states.tensors()[name], value)
    one, other = policy.score(forward, space), policy.score(back, space)
    for stage in (SpinStage, CompositionStage):  # whose paths are unique, whatever the paths of other stages
        columns = one.columns[stage.name]
        torch.testing.assert_close(one.log_pf[:, columns], other.log_pf[:, other.columns[stage.name]])
    assert torch.isfinite(other.log_pf_sum + other.log_pb_sum).all()
    torch.testing.assert_close(policy.score(forward[:7], space).log_pf_sum, one.log_pf_sum[:7])
    joined = type(forward).concatenate((forward[:7], back[:5]))
    assert torch.equal(joined.of(SpinSteps).spin, torch.cat((forward.states.spin[:7], back.states.spin[:5])))


@pytest.mark.parametrize("place", PLACES)
def test_crystals_are_decoded_and_encoded(place):
    space = spin_space(place)
    states = random_spin_policy(space).sample(200, space, generator=torch.Generator().manual_seed(4)).states
    crystals = space.crystals(states)
    assert crystals.columns["spin"].tolist() == states.spin.tolist()
    back, rows = space.states(crystals)
    assert torch.equal(rows, torch.arange(200))
    assert torch.equal(back.spin, states.spin)
    torch.testing.assert_close(back.u, states.u, atol=1e-9, rtol=0)
    pure = crystals.with_columns(spin=[3] * 200)
    few = (states.elements > 0).sum(1) < MOST
    assert len(space.states(pure)[0]) == (200 if place < 2 else int((~few).sum()))


def test_replay_keeps_every_field():
    space = spin_space(2)
    states = random_spin_policy(space).sample(20, space, generator=torch.Generator().manual_seed(5)).states
    buffer, again = ReplayBuffer(12, space.state_type), ReplayBuffer(12, space.state_type)
    buffer.add(states, torch.arange(20.0))
    again.load_state_dict(buffer.state_dict())
    assert isinstance(again.states, SpinStates)
    assert torch.equal(again.states.spin, buffer.states.spin)
    assert torch.equal(again.log_reward, torch.arange(19.0, 7.0, -1))
    assert torch.equal(again.states.u, states.u[8:].flip(0))


def spin_trainer(seed=0):
    space = spin_space(2)
    recipe = TrainingRecipe(iterations=10, batch_size=40, rollout_batches=1, replay_share=0.25, replay_start=20)
    torch.manual_seed(seed)
    return Trainer(spin_policy(space, PolicyOptions(width=16, layers=2)), space, SpinTarget(), recipe, seed=seed)


def test_a_resumed_training_goes_on_to_the_same_weights(tmp_path):
    trainer, resumed = spin_trainer(), spin_trainer(seed=1)
    trainer.run(5)
    save_checkpoint(tmp_path / "checkpoint", trainer, {})
    load_checkpoint(tmp_path / "checkpoint", resumed)
    assert isinstance(resumed.replay.states, SpinStates)
    for each in (trainer, resumed):
        each.run(10)
    wanted = trainer.policy.state_dict()
    assert any(name.startswith("stages.spin.") for name in wanted)
    assert all(torch.equal(value, wanted[name]) for name, value in resumed.policy.state_dict().items())


def test_weights_of_the_other_stages_keep_their_names(tmp_path):
    plain = small_space(groups=GROUPS[:3], elements=(3, 8, 9), n_atoms_primitive=(1, 5))
    without = random_policy(plain, 1)
    for place in PLACES:
        policy = spin_policy(spin_space(place), PolicyOptions(width=64))
        missing, unexpected = policy.load_state_dict(without.state_dict(), strict=False)
        assert not unexpected
        assert {name for name in missing if "spin" not in name} == set()
    # at the end it changes nothing of what comes before
    space = spin_space(3)
    drawn = policy.sample(100, space, generator=torch.Generator().manual_seed(6))
    first = type(drawn)(drawn.steps[:3])
    with torch.no_grad():
        scores, alone = policy.score(drawn, space), without.score(first, plain)
    for name, columns in alone.columns.items():
        torch.testing.assert_close(scores.log_pf[:, columns], alone.log_pf[:, columns])
        torch.testing.assert_close(scores.log_pb[:, columns], alone.log_pb[:, scores.columns[name]])
    save_policy(tmp_path / "policy", policy, {})
    again = spin_policy(space, PolicyOptions(width=64))
    load_policy(tmp_path / "policy", again)
    assert torch.equal(again.stages["spin"].spin.weight, policy.stages["spin"].spin.weight)


def test_a_policy_is_made_of_any_list_of_stages():
    options = PolicyOptions(width=16)
    policy = CrystalPolicy([SpaceGroupStage(16), SpinStage(16)], options)
    assert list(policy.stages) == ["space_group", "spin"]
    assert set(policy.forward_network.encoders) == {"space_group", "spin"}


def test_every_subspace_has_its_stage():
    assert [subspace.name for subspace in SUBSPACES] == [stage.name for stage in STAGES]
    with pytest.raises(LookupError, match="subspace 'spin': found no stage, allowed: space_group"):
        policy_of(spin_space(2))


def test_what_a_stack_does_not_have_is_named():
    with pytest.raises(LookupError, match="no SpinSpace among space_group, composition, lattice"):
        small_space().of(SpinSpace)
    space = small_space()
    drawn = random_policy(space, 0).sample(2, space, generator=torch.Generator().manual_seed(0))
    with pytest.raises(LookupError, match="no LatticeSteps among SpaceGroupSteps"):
        drawn.first(1).of(LatticeSteps)
