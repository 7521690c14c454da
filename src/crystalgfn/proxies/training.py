"""Training of property networks: one loop for every recipe, resumable, the same result for the same seed.

Each of the M members sees the training rows in its own order. An exponential moving average of the weights is what is
validated and kept; the epoch with the lowest validation error wins.
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
from crystalgfn.proxies.networks.features import Inputs
from crystalgfn.proxies.networks.gap import gap_loss
from crystalgfn.proxies.networks.proxy import ProxyNetwork, build
from crystalgfn.proxies.networks.strain import equilibrium_loss
from crystalgfn.proxies.recipes import Recipe


@dataclass(frozen=True)
class Rows:
    """Rows with a target.

    Attributes:
        inputs: of N crystals.
        target: (N,) eV/atom, or eV for the band gap.
    """

    inputs: Inputs
    target: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class TrainingData:
    """What a training reads.

    Attributes:
        train: real rows.
        validation: real rows that choose the epoch; where there are none, the last one is kept.
        extra, extra_validation: further rows with a target, such as strained copies or compositions in no known
            structure, or None.
        borrowed: known compositions in the structure of another crystal and, as target, their hull energy (eV/atom),
            or None.
        bounded: crystals without known energy and, as target, the hull energy of their composition (eV/atom), or None.
    """

    train: Rows
    validation: Rows
    extra: Rows | None = None
    extra_validation: Rows | None = None
    bounded: Rows | None = None
    borrowed: Rows | None = None


@dataclass
class Epoch:
    """What an epoch ended with: its number, validation errors (eV/atom, 0 without rows), whether it is kept so far."""

    number: int
    validation_mae: float
    extra_mae: float
    best: bool


def train(
    recipe: Recipe,
    data: TrainingData,
    *,
    seed: int,
    start: ProxyNetwork | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Callable[[Epoch], None] | None = None,
) -> tuple[ProxyNetwork, list[Epoch]]:
    """Train a network and return it with the averaged weights of its best epoch, and the history.

    Args:
        recipe: how.
        data: rows; see :class:`TrainingData`.
        start: a trained network to begin with, whose scaling is kept; random weights by default.
        seed: of weights and order; the same seed gives the same network on one machine and thread count.
        checkpoint: file to keep the state in after each epoch.
        resume: continue from ``checkpoint`` if it exists.
        report: called after each epoch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(recipe.network)
    if start is None:
        network.fit_scaling(data.train.inputs, data.train.target)
    else:
        network.load_state_dict(start.state_dict())
    average = copy.deepcopy(network)
    best = copy.deepcopy(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(recipe.trained == "all" or name.startswith("shape") == (recipe.trained == "shape"))
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    history: list[Epoch] = []
    scale = 1.0  # of the learning rate, under the plateau schedule
    if resume and checkpoint is not None and checkpoint.exists():
        history, scale = load_checkpoint(checkpoint, Epoch, network, average, best, optimiser, recipe, seed)

    members = recipe.network.members
    n_real, n_extra = recipe.batch_size, recipe.extra_size
    steps = math.ceil(len(data.train) / n_real)
    for number in range(len(history), recipe.epochs):
        if history and number - _best_epoch(history) > recipe.patience:
            break
        generator = torch.Generator().manual_seed(seed * 100_003 + number)
        real = _orders(len(data.train), members, n_real * steps, generator)
        extra = _orders(len(data.extra), members, n_extra * steps, generator) if data.extra else None
        width = (recipe.batch_size // 8) * steps
        bounded = _orders(len(data.bounded), members, width, generator) if data.bounded else None
        borrowed = _orders(len(data.borrowed), members, width, generator) if data.borrowed else None
        network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 100_003 + number)  # dropout draws from the global generator
            for step in range(steps):
                rate = recipe.learning_rate * scale * _rate(recipe, number * steps + step, recipe.epochs * steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                loss = _loss(network, recipe, data, [real, extra, bounded, borrowed], step, steps)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 5.0)
                optimiser.step()
                _average(average, network, min(recipe.ema, step / (step + 10)) if number == 0 else recipe.ema)
        mae = mean_absolute_error(average, data.validation) if len(data.validation) else 0.0
        extra_mae = mean_absolute_error(average, data.extra_validation) if data.extra_validation else 0.0
        epoch = Epoch(number, mae, extra_mae, best=False)
        epoch.best = not history or not len(data.validation) or _score(epoch) < min(map(_score, history))
        history.append(epoch)
        if epoch.best:
            best.load_state_dict(average.state_dict())
        waited = number - _best_epoch(history)
        if recipe.schedule == "plateau" and waited >= 4 and waited % 4 == 0:
            scale = scale / 2
        if checkpoint is not None:
            save_checkpoint(checkpoint, history, scale, network, average, best, optimiser, recipe, seed)
        if report is not None:
            report(epoch)
    return best.eval(), history


def predict_rows(network: ProxyNetwork, inputs: Inputs, *, batch_size: int = 2048) -> Tensor:
    """Mean prediction of the members, (N,) eV/atom, without gradient."""
    network.eval()
    out = []
    with torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            index = torch.arange(start, min(start + batch_size, len(inputs)))
            out.append(network(inputs[index[None]]).mean(0))
    return torch.cat(out) if out else torch.zeros(0)


def mean_absolute_error(network: ProxyNetwork, rows: Rows) -> float:
    """Mean absolute error of the members' mean, eV/atom."""
    return float((predict_rows(network, rows.inputs) - rows.target).abs().mean())


def _loss(
    network: ProxyNetwork,
    recipe: Recipe,
    data: TrainingData,
    orders: list[Tensor | None],
    step: int,
    steps: int,
) -> Tensor:
    """Huber loss of one step's rows, in units of the target's deviation, plus the penalties about the hull.

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
            targets.append(torch.zeros(network.config.members, 0))
    terms = network.terms(_join(parts), network.tables())
    sizes = [target.shape[1] for target in targets]
    known = sizes[0] + sizes[1]
    target = torch.cat(targets, 1)
    if terms.logit is not None:
        return gap_loss(terms, target, huber=recipe.huber) * network.config.members
    loss = F.huber_loss(terms.energy[:, :known], target[:, :known], delta=recipe.huber) / recipe.huber
    if terms.equilibrium is not None:
        loss = loss + recipe.equilibrium_weight * equilibrium_loss(terms.equilibrium[:, : sizes[0]], parts[0])
    above = terms.energy - target
    _, _, bounded, borrowed = above.split(sizes, 1)
    if sizes[2]:
        loss = loss + recipe.bound_weight * F.relu(-recipe.bound_margin - bounded).mean()
    if sizes[3]:
        outside = F.relu(-recipe.bound_margin - borrowed) + F.relu(borrowed - recipe.borrowed_margin)
        loss = loss + recipe.borrowed_weight * outside.mean()
    return loss * network.config.members


def _join(parts: list[Inputs]) -> Inputs:
    """Join inputs with leading (M, b) along b, padding the elements to the widest."""
    width = max(part.fractions.shape[2] for part in parts)

    def joined(name: str) -> Tensor:
        tensors = [getattr(part, name) for part in parts]
        if name in ("atomic_numbers", "fractions"):
            tensors = [F.pad(t, (0, width - t.shape[2])) for t in tensors]
        elif name == "amounts":
            tensors = [F.pad(t, (0, 0, 0, width - t.shape[2])) for t in tensors]
        return torch.cat(tensors, 1)

    return Inputs(**{name: joined(name) for name in vars(parts[0])})


def _orders(rows: int, members: int, wanted: int, generator: torch.Generator) -> Tensor:
    """Row indices (M, wanted): each member's own shuffles of all rows, as many as are needed, cut."""
    shuffles = math.ceil(wanted / rows)
    return torch.stack(
        [
            torch.cat([torch.randperm(rows, generator=generator) for _ in range(shuffles)])[:wanted]
            for _ in range(members)
        ]
    )


def _rate(recipe: Recipe, step: int, total: int) -> float:
    """Share of the peak learning rate at a step."""
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.5 + 0.5 * math.cos(math.pi * step / total)) if recipe.schedule == "cosine" else warm


def _average(average: ProxyNetwork, network: ProxyNetwork, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)


def _best_epoch(history: list[Epoch]) -> int:
    return max(epoch.number for epoch in history if epoch.best)


def _score(epoch: Epoch) -> float:
    return epoch.validation_mae + 0.2 * epoch.extra_mae
