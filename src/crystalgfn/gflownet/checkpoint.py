"""Checkpoints: the whole state of a trainer in one safetensors file, put in place atomically; nothing is pickled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import read_tensors, write_tensors
from crystalgfn.gflownet.prior import PriorTrainer
from crystalgfn.gflownet.ranks import Ranks
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.policy import CrystalPolicy

RECOGNISED = "recognised"
"""Part of the names of weights that belong to crystals a policy recognises (:mod:`.policy.stages.recognition`)."""


def save_policy(path: Path, policy: CrystalPolicy, header: dict[str, Any]) -> None:
    """Write the weights of a policy to sample from."""
    write_tensors(path, policy.state_dict(), header)


def load_policy(path: Path, policy: CrystalPolicy, *, start: bool = False) -> dict[str, Any]:
    """Fill ``policy`` with the weights of a file and return the header.

    Args:
        path: the file.
        policy: filled in place.
        start: whether training begins with these weights: what the policy recognises may then be missing in the file.

    Raises:
        CheckpointError: the weights do not have the shapes that the configuration asks for.
    """
    tensors, header = read_tensors(path)
    weights = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    if start:
        weights = {k: v for k, v in policy.state_dict().items() if RECOGNISED in k} | weights
    _fill(policy, weights, path)
    return header


def _fill(module: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    expected = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    shapes = {k: tuple(v.shape) for k, v in tensors.items()}
    if expected != shapes:
        differing = sorted(k for k in expected.keys() | shapes.keys() if expected.get(k) != shapes.get(k))
        first = differing[0]
        raise CheckpointError(
            f"{path}: does not fit the configuration: {first} is {shapes.get(first)}, allowed {expected.get(first)}"
        )
    module.load_state_dict(tensors)


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    moments = optimizer.state_dict()["state"].items()
    return {f"optimizer.{index}.{k}": v for index, entries in moments for k, v in entries.items()}


def _fill_moments(optimizer: Optimizer, tensors: dict[str, Tensor], path: Path) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, entry = name.partition(".")
        state.setdefault(int(index), {})[entry] = value
    expected = [tuple(p.shape) for group in optimizer.param_groups for p in group["params"]]
    for number, moments in state.items():  # a tensor without gradients has no moments yet
        if number >= len(expected) or tuple(moments["exp_avg"].shape) != expected[number]:
            raise CheckpointError(
                f"{path}: moments of tensor {number} are of another version; sample the run as it is, or start again"
            )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _policies(trainer: Trainer | PriorTrainer) -> dict[str, Tensor]:
    tensors = {f"policy.{k}": v for k, v in trainer.policy.state_dict().items()}
    return tensors | {f"sampling.{k}": v for k, v in trainer.sampling_policy.state_dict().items()}


def _fill_policies(trainer: Trainer | PriorTrainer, parts: dict[str, dict[str, Tensor]], path: Path) -> None:
    _fill(trainer.policy, parts["policy"], path)
    _fill(trainer.sampling_policy, parts["sampling"], path)


def _parts(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Tensors by the first part of their name, then by the rest of it."""
    parts: dict[str, dict[str, Tensor]] = {"policy": {}, "sampling": {}, "optimizer": {}, "replay": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        if part in parts:
            parts[part][name] = value
    return parts


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """Turn errors over missing or impossible entries of a checkpoint into one that names the file."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path}: incomplete checkpoint ({' '.join(str(error).split())[:150]})") from None


def save_checkpoint(path: Path, trainer: Trainer, header: dict[str, Any]) -> None:
    """Write everything a killed run needs to go on to the same result.

    All processes that train together call this; the first one writes, with what is different on each of them.
    """
    own = {"generator": trainer.generator.get_state()}
    if trainer.replay is not None:
        own |= {f"replay.{k}": v for k, v in trainer.replay.state_dict().items()}
    of_ranks = {f"{_rank(r)}{k}": v for k, values in own.items() for r, v in enumerate(trainer.ranks.gather(values))}
    if not trainer.ranks.first:
        return
    tensors = _policies(trainer) | {"log_z": trainer.log_z} | _moments(trainer.optimizer) | of_ranks
    counters = {"iteration": trainer.iteration, "trajectories": trainer.trajectories, "nonfinite": trainer.nonfinite}
    write_tensors(path, tensors, {**header, **counters, "ranks": trainer.ranks.size})


def _rank(number: int) -> str:
    """What the names of tensors that differ between processes begin with; nothing for the first process."""
    return f"rank{number}." if number else ""


def _seen_by(number: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the names that one process gives them."""
    own = _rank(number)
    return tensors | {k.removeprefix(own): v for k, v in tensors.items() if own and k.startswith(own)}


def _check_ranks(path: Path, header: dict[str, Any], ranks: Ranks) -> None:
    """Refuse a checkpoint of another number of processes, whose draws would not go on."""
    before = header.get("ranks", 1)
    if before != ranks.size:
        found = "1 process" if ranks.size == 1 else f"{ranks.size} processes"
        raise CheckpointError(f"{path}: found {found}, allowed: {before}, as when the run began")


def load_checkpoint(path: Path, trainer: Trainer) -> dict[str, Any]:
    """Restore a trainer to the state that :func:`save_checkpoint` wrote, and return the header.

    Raises:
        CheckpointError: the file is unreadable, or of another configuration or number of processes.
    """
    tensors, header = read_tensors(path)
    _check_ranks(path, header, trainer.ranks)
    tensors = _seen_by(trainer.ranks.rank, tensors)
    parts = _parts(tensors)
    with _complete(path):
        _fill_policies(trainer, parts, path)
        trainer.log_z.data.copy_(tensors["log_z"])
        trainer.generator.set_state(tensors["generator"])
        _fill_moments(trainer.optimizer, parts["optimizer"], path)
        if trainer.replay is not None:
            trainer.replay.load_state_dict({k: v.to(trainer.device) for k, v in parts["replay"].items()})
        trainer.iteration, trainer.trajectories = int(header["iteration"]), int(header["trajectories"])
        trainer.nonfinite = int(header["nonfinite"])
    return header


def save_prior_checkpoint(path: Path, trainer: PriorTrainer, header: dict[str, Any]) -> None:
    """Write everything that a killed training by likelihood needs to go on to the same result."""
    tensors = _policies(trainer) | _moments(trainer.optimizer) | {"best": trainer.best}
    counters = {name: getattr(trainer, name) for name in PRIOR_COUNTERS}
    write_tensors(path, tensors, {**header, **counters, "ranks": trainer.ranks.size})


def load_prior_checkpoint(path: Path, trainer: PriorTrainer) -> dict[str, Any]:
    """Restore a trainer to the state that :func:`save_prior_checkpoint` wrote, and return the header.

    Raises:
        CheckpointError: the file is unreadable, or of another configuration or number of processes.
    """
    tensors, header = read_tensors(path)
    _check_ranks(path, header, trainer.ranks)
    parts = _parts(tensors)
    with _complete(path):
        _fill_policies(trainer, parts, path)
        _fill_moments(trainer.optimizer, parts["optimizer"], path)
        trainer.best.copy_(tensors["best"])
        for name in PRIOR_COUNTERS:
            setattr(trainer, name, type(getattr(trainer, name))(header[name]))
    return header


PRIOR_COUNTERS = ("epoch", "updates", "nonfinite", "best_epoch", "best_nats", "cpu_seconds")
"""Numbers of a :class:`~crystalgfn.gflownet.prior.PriorTrainer` that go on."""
