"""Training of property networks: one loop for all hyperparameters, resumable, and reproducible from its seed.

Each of the M members sees the training rows in its own order. The exponential moving average of the weights is
validated, and the average of the epoch with the lowest validation error is returned.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.proxies.checkpoints import load_checkpoint, save_checkpoint
from crystalgfn.proxies.data.rows import Rows, TrainingData
from crystalgfn.proxies.hyperparameters import Hyperparameters
from crystalgfn.proxies.networks.base import ProxyNetwork
from crystalgfn.proxies.networks.cell import equilibrium_loss
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.proxies.networks.registry import build


@dataclass
class Epoch:
    """Result of an epoch: its number, validation errors (eV/atom; 0 without rows) and whether it is the best so far."""

    number: int
    validation_mae: float
    extra_mae: float
    best: bool


def fit_network(
    hyperparameters: Hyperparameters,
    data: TrainingData,
    *,
    seed: int,
    start: ProxyNetwork | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Callable[[Epoch], None] | None = None,
) -> tuple[ProxyNetwork, list[Epoch]]:
    """Fit a network and return it with the averaged weights of its best epoch, and the history.

    Args:
        hyperparameters: how the network is fitted.
        data: training and validation rows.
        start: a trained network to begin with, whose scaling is kept; random weights by default.
        seed: seed of the weights and of the order of rows; the same seed gives the same network on one machine with
            the same number of threads.
        checkpoint: file to save the state to after each epoch.
        resume: continue from ``checkpoint`` if it exists.
        report: called with each epoch when it ends.

    Raises:
        CheckpointError: the checkpoint is unreadable, or has other hyperparameters or another seed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(hyperparameters.network)
    if start is None:
        network.fit_scaling(data.train.inputs, data.train.target)
    else:
        network.load_state_dict(start.state_dict())
    average = copy.deepcopy(network)
    best = copy.deepcopy(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(
            hyperparameters.trained == "all" or name.startswith("shape") == (hyperparameters.trained == "shape")
        )
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, lr=hyperparameters.learning_rate, weight_decay=hyperparameters.weight_decay, fused=True
    )
    history: list[Epoch] = []
    scale = 1.0  # of the learning rate, under the plateau schedule
    if resume and checkpoint is not None and checkpoint.exists():
        history, scale = load_checkpoint(checkpoint, Epoch, network, average, best, optimiser, hyperparameters, seed)

    members = hyperparameters.network.members
    n_real, n_extra = hyperparameters.batch_size, hyperparameters.extra_size
    steps = math.ceil(len(data.train) / n_real)
    for number in range(len(history), hyperparameters.epochs):
        if history and number - _best_epoch(history) > hyperparameters.patience:
            break
        generator = torch.Generator().manual_seed(seed * 100_003 + number)
        real = _orders(len(data.train), members, n_real * steps, generator)
        extra = _orders(len(data.extra), members, n_extra * steps, generator) if data.extra else None
        width = (hyperparameters.batch_size // 8) * steps
        bounded = _orders(len(data.bounded), members, width, generator) if data.bounded else None
        borrowed = _orders(len(data.borrowed), members, width, generator) if data.borrowed else None
        network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 100_003 + number)  # dropout draws from the global generator
            for step in range(steps):
                rate = (
                    hyperparameters.learning_rate
                    * scale
                    * _rate(hyperparameters, number * steps + step, hyperparameters.epochs * steps)
                )
                for group in optimiser.param_groups:
                    group["lr"] = rate
                loss = _loss(network, hyperparameters, data, [real, extra, bounded, borrowed], step, steps)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 5.0)
                optimiser.step()
                _average(
                    average,
                    network,
                    min(hyperparameters.ema, step / (step + 10)) if number == 0 else hyperparameters.ema,
                )
        mae = mean_absolute_error(average, data.validation) if len(data.validation) else 0.0
        extra_mae = mean_absolute_error(average, data.extra_validation) if data.extra_validation else 0.0
        epoch = Epoch(number, mae, extra_mae, best=False)
        epoch.best = not history or not len(data.validation) or _score(epoch) < min(map(_score, history))
        history.append(epoch)
        if epoch.best:
            best.load_state_dict(average.state_dict())
        epochs_since_best = number - _best_epoch(history)
        if hyperparameters.schedule == "plateau" and epochs_since_best >= 4 and epochs_since_best % 4 == 0:
            scale = scale / 2
        if checkpoint is not None:
            save_checkpoint(checkpoint, history, scale, network, average, best, optimiser, hyperparameters, seed)
        if report is not None:
            report(epoch)
    return best.eval(), history


def predict_rows(network: ProxyNetwork, inputs: Inputs, *, batch_size: int = 2048) -> Tensor:
    """Return the mean prediction of the members, (N,) eV/atom, without gradient."""
    network.eval()
    out = []
    with torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            index = torch.arange(start, min(start + batch_size, len(inputs)))
            out.append(network(inputs[index[None]]).mean(0))
    return torch.cat(out) if out else torch.zeros(0)


def mean_absolute_error(network: ProxyNetwork, rows: Rows) -> float:
    """Return the mean absolute error of the members' mean, eV/atom."""
    target = rows.target if network.targets == 1 else rows.target[:, 0]
    return float((predict_rows(network, rows.inputs) - target).abs().mean())


def _loss(
    network: ProxyNetwork,
    hyperparameters: Hyperparameters,
    data: TrainingData,
    orders: list[Tensor | None],
    step: int,
    steps: int,
) -> Tensor:
    """Return the loss of one step's rows: the network's loss of labelled rows, plus the penalties about the hull.

    ``orders``: row indices (M, ...) of the real, extra, bounded and borrowed rows of an epoch.
    """
    parts, targets = [], []
    for order, rows in zip(orders, (data.train, data.extra, data.bounded, data.borrowed), strict=True):
        width = order.shape[1] // steps if order is not None else 0
        if order is not None and rows is not None:
            index = order[:, step * width : (step + 1) * width]
            parts.append(rows.inputs[index])
            targets.append(rows.target[index])
        else:
            targets.append(data.train.target.new_zeros(network.config.members, 0, *data.train.target.shape[1:]))
    terms = network.terms(_join(parts), network.tables())
    sizes = [target.shape[1] for target in targets]
    labelled = sum(sizes[:2])
    loss = network.loss(terms.first(labelled), torch.cat(targets[:2], 1), huber=hyperparameters.huber)
    if terms.equilibrium is not None:
        loss = loss + hyperparameters.equilibrium_weight * equilibrium_loss(terms.equilibrium[:, : sizes[0]], parts[0])
    energies = terms.energy.split(sizes, 1)
    if sizes[2]:
        bounded = energies[2] - targets[2]
        loss = loss + hyperparameters.bound_weight * F.relu(-hyperparameters.bound_margin - bounded).mean()
    if sizes[3]:
        borrowed = energies[3] - targets[3]
        outside = F.relu(-hyperparameters.bound_margin - borrowed) + F.relu(borrowed - hyperparameters.borrowed_margin)
        loss = loss + hyperparameters.borrowed_weight * outside.mean()
    return loss * network.config.members


def _join(parts: list[Inputs]) -> Inputs:
    """Join inputs with leading dimensions (M, b) along b, as wide as the widest crystal in them."""
    width = max(int(part.n_tokens.amax()) for part in parts if part.fractions.shape[1])

    def joined(name: str) -> Tensor:
        tensors = [getattr(part, name) for part in parts]
        if name in parts[0].tokens:
            tensors = [F.pad(t, (0, 0) * (t.dim() - 3) + (0, width - t.shape[2])) for t in tensors]
        return torch.cat(tensors, 1)

    return type(parts[0])(**{name: joined(name) for name in vars(parts[0])})


def _orders(rows: int, members: int, length: int, generator: torch.Generator) -> Tensor:
    """Return row indices (M, length): each member's own shuffles of all rows, one after the other, cut to length."""
    shuffles = math.ceil(length / rows)
    return torch.stack(
        [
            torch.cat([torch.randperm(rows, generator=generator) for _ in range(shuffles)])[:length]
            for _ in range(members)
        ]
    )


def _rate(hyperparameters: Hyperparameters, step: int, total: int) -> float:
    """Return the learning rate at a step as a share of its peak."""
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.5 + 0.5 * math.cos(math.pi * step / total)) if hyperparameters.schedule == "cosine" else warm


def _average(average: ProxyNetwork, network: ProxyNetwork, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)


def _best_epoch(history: list[Epoch]) -> int:
    return max(epoch.number for epoch in history if epoch.best)


def _score(epoch: Epoch) -> float:
    return epoch.validation_mae + 0.2 * epoch.extra_mae
