"""State of an unfinished training run: one safetensors file, replaced as a whole after each epoch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import read_tensors, write_tensors
from crystalgfn.proxies.hyperparameters import Hyperparameters
from crystalgfn.proxies.networks.base import ProxyNetwork

T = TypeVar("T")


def save_checkpoint(
    path: Path,
    history: list[Any],
    scale: float,
    network: ProxyNetwork,
    average: ProxyNetwork,
    best: ProxyNetwork,
    optimiser: torch.optim.Optimizer,
    hyperparameters: Hyperparameters,
    seed: int,
) -> None:
    """Write everything :func:`load_checkpoint` needs; an interrupted call leaves the previous file."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("network", network), ("average", average), ("best", best)):
        tensors.update({f"{prefix}/{name}": value.clone() for name, value in module.state_dict().items()})
    for index, state in optimiser.state_dict()["state"].items():
        tensors.update({f"optimiser/{index}/{name}": value.clone() for name, value in state.items()})
    about = {
        "hyperparameters": asdict(hyperparameters),
        "seed": seed,
        "scale": scale,
        "history": [asdict(e) for e in history],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, about)


def load_checkpoint(
    path: Path,
    epoch_type: type[T],
    network: ProxyNetwork,
    average: ProxyNetwork,
    best: ProxyNetwork,
    optimiser: torch.optim.Optimizer,
    hyperparameters: Hyperparameters,
    seed: int,
) -> tuple[list[T], float]:
    """Restore networks and optimiser in place; return the history and the scale of the learning rate.

    Raises:
        CheckpointError: the file is unreadable, or has other hyperparameters or another seed.
    """
    tensors, about = read_tensors(path)
    if about.get("hyperparameters") != json.loads(json.dumps(asdict(hyperparameters))) or about.get("seed") != seed:
        raise CheckpointError(f"{path}: was written by another recipe or seed; delete it or train without --resume")
    try:
        for prefix, module in (("network", network), ("average", average), ("best", best)):
            module.load_state_dict({k.split("/", 1)[1]: v for k, v in tensors.items() if k.startswith(f"{prefix}/")})
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser/"):
                _, index, name = key.split("/")
                state.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        return [epoch_type(**e) for e in about["history"]], float(about["scale"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: does not fit this training: {error}") from None
