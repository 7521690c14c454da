"""The training loop: every objective and source of trajectories, determinism, resuming, numbers that are not finite."""

import math
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from crystalgfn.errors import CheckpointError, ConfigError, CrystalGFNError
from crystalgfn.files.tensors import read_tensors, write_tensors
from crystalgfn.gflownet.checkpoint import load_checkpoint, save_checkpoint
from crystalgfn.gflownet.trainer import MAX_NONFINITE_IN_A_ROW, Trainer
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.runs.build import POLICY, build_recipe, build_space, build_trainer
from crystalgfn.runs.folder import CHECKPOINT, METRICS
from crystalgfn.runs.training import train
from crystalgfn.spaces.states import CrystalStates
from small_run import small_config


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.sampling_policy.parameters()])


@pytest.mark.parametrize(
    "training",
    [
        {"objective": "vargrad"},
        {"objective": "tb", "log_z_start": "zero", "clip": None, "schedule": "constant", "ema": 0.0},
        {"objective": "subtb"},
        {"objective": "tb", "backward": "tlm"},
        {"objective": "vargrad", "backward": "tlm", "replay": {"share": 0.25, "capacity": 40, "start": 10}},
    ],
)
def test_every_recipe_runs_and_is_deterministic(training):
    runs = [build_trainer(small_config(**training)) for _ in range(2)]
    reports = []
    for trainer in runs:
        trainer.run(6, reports.append)
    assert [math.isfinite(r.loss) for r in reports] == [True] * 12
    assert torch.equal(weights(runs[0]), weights(runs[1]))
    other = build_trainer(small_config(**training).model_copy(update={"seed": 1}))
    other.run(6)
    assert not torch.equal(weights(runs[0]), weights(other))


def test_replayed_states_take_their_share_and_are_the_best():
    trainer = build_trainer(small_config(rollout_batches=1, replay={"share": 0.5, "capacity": 20, "start": 16}))
    reports, queried, log_reward = [], [], trainer.target.log_reward
    trainer.target = Mock(log_reward=lambda states, condition=None: queried.append(log_reward(states)) or queried[-1])
    trainer.run(4, reports.append)
    assert [r.trajectories for r in reports] == [16, 24, 32, 40]  # queries of the reward, not replays
    best = torch.cat(queried).sort(descending=True).values[:20]
    assert torch.equal(trainer.replay.log_reward.sort(descending=True).values, best)


@pytest.mark.parametrize(("goal", "best"), [("maximise", max), ("minimise", min)])
def test_progress_describes_the_last_rollout(goal, best):
    term = small_config().objective[0].model_copy(update={"goal": goal})
    trainer = build_trainer(small_config(rollout_batches=2).model_copy(update={"objective": [term]}))
    rollouts, reports, evaluate = [], [], trainer.target.evaluate
    trainer.target.evaluate = lambda *states, **asked: rollouts.append(evaluate(*states, **asked)) or rollouts[-1]
    trainer.run(6, reports.append, every=2)
    assert len(rollouts) == len(reports) == 3  # nothing is asked twice in order to be shown
    for evaluation, report in zip(rollouts, reports, strict=True):
        values, crystals = evaluation.columns()["density [g/cm3]"], evaluation.crystals
        assert report.property_median == float(np.median(values))
        assert report.property_best == best(values.tolist())
        assert report.space_groups == len(set(crystals.space_group.tolist()))


def test_targets_without_properties_have_nothing_to_show():
    trainer = build_trainer(small_config())
    trainer.target = Mock(log_reward=lambda states, condition=None: torch.zeros(len(states)))
    report = trainer.step()
    assert math.isnan(report.property_median)
    assert math.isnan(report.property_best)
    assert 1 <= report.space_groups <= 4


def test_trajectories_from_data(tmp_path):
    space = build_space(small_config().constraints)
    policy = policy_of(space, PolicyOptions(width=16, layers=2))
    states = policy.sample(30, space, generator=torch.Generator().manual_seed(0)).states
    table = tmp_path / "data.parquet"
    space.crystals(states).to_parquet(table)
    trainer = build_trainer(small_config(rollout_batches=1, data={"path": str(table), "share": 0.5}))
    assert isinstance(trainer.data, CrystalStates)
    assert len(trainer.data) >= 29  # all but one at the edge of the cube, lost to rounding
    reports = []
    trainer.run(3, reports.append)
    assert reports[-1].trajectories == 3 * 8


def test_a_rollout_serves_several_updates_and_is_used_again():
    trainer = build_trainer(small_config(rollout_batches=3, passes=2))
    seen, score = [], trainer.policy.score
    trainer.policy.score = lambda taken, space: seen.append(taken.states.u) or score(taken, space)
    reports = []
    trainer.run(12, reports.append)
    assert [r.trajectories for r in reports] == [48] * 6 + [96] * 6
    assert all(torch.equal(seen[i], seen[i + 3]) for i in (0, 1, 2, 6, 7, 8))
    assert not any(torch.equal(seen[i], seen[j]) for i, j in ((0, 1), (1, 2), (0, 6)))


def test_rewards_are_learned_without_dropout():
    config = small_config()
    options = config.policy.model_copy(update={"dropout": 0.5})
    runs = [build_trainer(config.model_copy(update={"policy": options})) for _ in range(2)]
    for number, trainer in enumerate(runs):
        torch.manual_seed(number)  # dropout would draw from the global generator
        trainer.run(3)
    assert torch.equal(weights(runs[0]), weights(runs[1]))


class _Broken:
    """log R of one state is infinite."""

    def log_reward(self, states, condition=None):
        return torch.full((len(states),), -torch.inf)


def test_updates_that_are_not_finite_are_left_out_counted_and_finally_an_error():
    trainer = build_trainer(small_config())
    before = weights(trainer).clone()
    broken = Trainer(trainer.policy, trainer.space, _Broken(), build_recipe(small_config().training), seed=0)
    broken.run(3)
    assert broken.nonfinite == 3
    assert torch.equal(before, weights(broken))
    with pytest.raises(CrystalGFNError, match="diverged"):
        broken.run(MAX_NONFINITE_IN_A_ROW + 5)


@pytest.mark.parametrize(("rollout_batches", "passes"), [(1, 1), (2, 2), (5, 1)])
def test_a_killed_run_goes_on_to_the_same_weights_and_metrics(tmp_path, rollout_batches, passes):
    replay = {"share": 0.25, "capacity": 40, "start": 10}
    config = small_config(rollout_batches=rollout_batches, passes=passes, replay=replay)
    train(config, tmp_path / "whole")

    class Killed(Exception):
        pass

    def kill(progress):
        if progress.iteration == 10:
            raise Killed

    with pytest.raises(Killed):
        train(config, tmp_path / "killed", on_iteration=kill)
    train(config, tmp_path / "killed", resume=True)
    for name in (POLICY, CHECKPOINT, METRICS):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


def test_dropout_is_off_where_trajectories_are_balanced():
    config = small_config()
    config = config.model_copy(update={"policy": config.policy.model_copy(update={"dropout": 0.5})})
    one, other = build_trainer(config), build_trainer(config)
    one.run(3)
    torch.rand(1)  # dropout would draw from the global generator
    other.run(3)
    assert torch.equal(weights(one), weights(other))


def test_run_folders_are_not_overwritten_or_mixed(tmp_path):
    config = small_config()
    train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="--resume"):
        train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="another configuration"):
        train(small_config(lr=0.5), tmp_path / "run", resume=True)
    with pytest.raises(ConfigError, match="no run to go on with"):
        train(config, tmp_path / "new", resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        train(config, tmp_path / "full")


@pytest.mark.parametrize("damage", [b"", b"\x80\x04pickle", b"{}", b"\x00" * 100])
def test_damaged_checkpoints_are_refused(tmp_path, damage):
    path = tmp_path / "checkpoint.safetensors"
    trainer = build_trainer(small_config())
    save_checkpoint(path, trainer, {})
    path.write_bytes(damage or path.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="checkpoint"):
        load_checkpoint(path, trainer)


def test_checkpoints_of_another_shape_are_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, build_trainer(small_config()), {})
    other = build_trainer(small_config(objective="subtb"))
    with pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(path, other)


def test_moments_of_another_layout_are_refused(tmp_path):
    """Until weights shared one vector, each tensor of the policy had moments of its own."""
    trainer = build_trainer(small_config())
    trainer.run(2)
    path = tmp_path / CHECKPOINT
    save_checkpoint(path, trainer, {})
    tensors, header = read_tensors(path)
    first = next(trainer.policy.parameters())
    tensors |= {f"optimizer.0.{name}": torch.zeros_like(first) for name in ("exp_avg", "exp_avg_sq")}
    write_tensors(path, tensors, header)
    with pytest.raises(CheckpointError, match="of another version"):
        load_checkpoint(path, build_trainer(small_config()))
