"""An objective is a class with its keys and an entry in the registry; the trainer knows none by name."""

from typing import ClassVar

import pytest
import torch
from pydantic import Field

from crystalgfn.config import parse_config
from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.objectives.objective import Objective
from crystalgfn.gflownet.objectives.registry import OBJECTIVES
from crystalgfn.gflownet.objectives.subtrajectory_balance import SubTrajectoryBalance
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.runs.build import build_space, build_trainer
from crystalgfn.runs.model import load
from crystalgfn.runs.training import train
from small_run import small_config


class HuberVariance(Objective):
    """VarGrad with a Huber loss."""

    conditional: ClassVar[bool] = True

    delta: float = Field(1.0, gt=0.0)

    def loss(self, batch, log_z):
        mean = batch.delta.mean().expand_as(batch.delta)
        return torch.nn.functional.huber_loss(batch.delta, mean, delta=self.delta)


class DataLikelihood(Objective):
    """-log P_F of the trajectories that were drawn backward from data, the last ones of a batch."""

    def loss(self, batch, log_z):
        return -batch.scores.log_pf_sum[len(batch.log_reward) - batch.from_data :].mean()


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.sampling_policy.parameters()])


def test_an_objective_that_is_added_trains(monkeypatch, tmp_path):
    monkeypatch.setitem(OBJECTIVES, "huber", HuberVariance)
    config = small_config(objective={"huber": {"delta": 0.5}})
    assert "objective:\n    huber: {delta: 0.5}" in config.to_yaml()
    trainer = train(config, tmp_path / "run")
    assert trainer.nonfinite == 0
    assert len(load(tmp_path / "run").sample(5, seed=0)) == 5
    other = build_trainer(small_config(objective="huber"))
    other.run(12)
    assert not torch.equal(weights(trainer), weights(other))  # the key counts
    with pytest.raises(ConfigError, match=r"training\.objective\.huber\.delta: found -1, input should be greater"):
        small_config(objective={"huber": {"delta": -1}})
    with pytest.raises(ConfigError, match=r"allowed: one of vargrad, tb, subtb, .*huber.*nearest: 'huber'"):
        small_config(objective="hubber")


def test_an_objective_may_learn_from_the_trajectories_of_data_alone(monkeypatch, tmp_path):
    monkeypatch.setitem(OBJECTIVES, "likelihood", DataLikelihood)
    space = build_space(small_config().constraints)
    policy = policy_of(space, PolicyOptions(width=16, layers=2))
    states = policy.sample(40, space, generator=torch.Generator().manual_seed(0)).states
    table = tmp_path / "data.parquet"
    space.crystals(states).to_parquet(table)
    data = {"path": str(table), "share": 0.5}
    trainer = build_trainer(small_config(objective="likelihood", iterations=60, lr=0.01, data=data))
    losses = []
    trainer.run(60, lambda progress: losses.append(progress.loss))
    assert sum(losses[-10:]) < sum(losses[:10]) - 10  # nats, less a little for P_B


def test_log_z_is_there_where_it_is_learned():
    assert len(build_trainer(small_config()).log_z) == 0
    trainer = build_trainer(small_config(objective={"tb": {"log_z_weights": 3, "lr_log_z": 0.5}}))
    assert len(trainer.log_z) == 3
    assert [group["peak"] for group in trainer.optimizer.param_groups] == [3e-3, 0.5]
    trainer.run(1)
    estimate = trainer.log_z.detach().clone()
    assert (estimate != 0).all()
    started = build_trainer(small_config(objective="tb", log_z_start="zero", lr_log_z=1e-9))
    started.run(1)
    assert float(started.log_z.detach().abs().sum()) < 1e-6


def test_flows_are_there_where_they_are_needed():
    alone = {name: kind for name, kind in OBJECTIVES.items() if not kind.prior}
    assert [build_trainer(small_config(objective=name)).policy.flow is not None for name in alone] == [
        kind.flows for kind in alone.values()
    ]
    assert SubTrajectoryBalance.flows


def test_weights_of_terms_need_an_objective_that_allows_conditions():
    content = small_config().model_dump(mode="json")
    content["objective"][0]["weights"] = [0.5, 2]
    with pytest.raises(ConfigError, match=r"need training\.objective vargrad, without replay and data"):
        parse_config(content, ["training.objective=tb"])
