"""Checkpoints: the whole state of a trainer in one safetensors file, put in place atomically; nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import read_tensors, write_tensors
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.policy import CrystalPolicy


def save_policy(path: Path, policy: CrystalPolicy, header: dict[str, Any]) -> None:
    """Write the weights of a policy to sample from."""
    write_tensors(path, policy.state_dict(), header)


def load_policy(path: Path, policy: CrystalPolicy) -> dict[str, Any]:
    """Fill ``policy`` with the weights of a file and return the header.

    Raises:
        CheckpointError: the weights do not have the shapes that the configuration asks for.
    """
    tensors, header = read_tensors(path)
    _fill(policy, {k: v.float() for k, v in tensors.items()}, path)
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


def _check_moments(state: dict[int, dict[str, Tensor]], trainer: Trainer, path: Path) -> None:
    expected = [tuple(p.shape) for group in trainer.optimizer.param_groups for p in group["params"]]
    for index, moments in state.items():  # a tensor without gradients has no moments yet
        if index >= len(expected) or tuple(moments["exp_avg"].shape) != expected[index]:
            raise CheckpointError(
                f"{path}: moments of tensor {index} are of another version; sample the run as it is, or start again"
            )


def save_checkpoint(path: Path, trainer: Trainer, header: dict[str, Any]) -> None:
    """Write everything a killed run needs to go on to the same result."""
    tensors = {f"policy.{k}": v for k, v in trainer.policy.state_dict().items()}
    tensors |= {f"sampling.{k}": v for k, v in trainer.sampling_policy.state_dict().items()}
    tensors |= {"log_z": trainer.log_z, "generator": trainer.generator.get_state()}
    for index, state in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
    if trainer.replay is not None:
        tensors |= {f"replay.{k}": v for k, v in trainer.replay.state_dict().items()}
    counters = {"iteration": trainer.iteration, "trajectories": trainer.trajectories, "nonfinite": trainer.nonfinite}
    write_tensors(path, tensors, {**header, **counters})


def load_checkpoint(path: Path, trainer: Trainer) -> dict[str, Any]:
    """Restore a trainer to the state that :func:`save_checkpoint` wrote, and return the header.

    Raises:
        CheckpointError: the file is unreadable or of another configuration.
    """
    tensors, header = read_tensors(path)
    parts: dict[str, dict[str, Tensor]] = {"policy": {}, "sampling": {}, "optimizer": {}, "replay": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        if part in parts:
            parts[part][name] = value
    try:
        _fill(trainer.policy, parts["policy"], path)
        _fill(trainer.sampling_policy, parts["sampling"], path)
        trainer.log_z.data.copy_(tensors["log_z"])
        trainer.generator.set_state(tensors["generator"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimizer"].items():
            index, _, entry = name.partition(".")
            state.setdefault(int(index), {})[entry] = value
        _check_moments(state, trainer, path)
        groups = trainer.optimizer.state_dict()["param_groups"]
        trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
        if trainer.replay is not None:
            trainer.replay.load_state_dict({k: v.to(trainer.device) for k, v in parts["replay"].items()})
        trainer.iteration, trainer.trajectories = int(header["iteration"]), int(header["trajectories"])
        trainer.nonfinite = int(header["nonfinite"])
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path}: incomplete checkpoint ({' '.join(str(error).split())[:150]})") from None
    return header
