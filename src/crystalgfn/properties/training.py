"""Training of property networks: one loop for every recipe, resumable, the same result for the same seed.

Each of the M members sees the training rows in its own order. An exponential moving average of the weights is what is
validated and kept; the epoch with the lowest validation error wins.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.properties.checkpoints import load_checkpoint, save_checkpoint
from crystalgfn.properties.features import Inputs
from crystalgfn.properties.proxy import NetworkConfig, ProxyNetwork, build
from crystalgfn.properties.strain_network import cell_config, equilibrium_loss


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        network: its architecture.
        epochs: passes over the real rows.
        batch_size: rows a step and member.
        learning_rate: peak; it warms up over the first steps and then follows ``schedule``.
        schedule: ``"cosine"`` to zero, or ``"plateau"``: halved when validation has not improved for 4 epochs.
        weight_decay: of AdamW.
        ema: decay of the averaged weights per step.
        patience: epochs without improvement after which training stops.
        huber: eV/atom beyond which the loss is linear.
        extra_share: share of each batch drawn from the extra rows, where there are any.
        strained_cap: eV/atom; energies above the unstrained crystal's are clipped to this.
        shape_limit: shape strains whose axial ratios changed by more than this factor, or whose angles by more than 10
            degree, are left out: the relaxed shape of an unseen crystal is a guess, and they blur the volume's effect.
        bound_weight: weight of the penalty on random crystals predicted below the convex hull of the training rows.
        bound_margin: eV/atom that a prediction may lie below that hull at no cost.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 30
    batch_size: int = 192
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 5e-2
    ema: float = 0.998
    patience: int = 20
    huber: float = 0.05
    extra_share: float = 0.5
    strained_cap: float = 5.0
    shape_limit: float = 1.35
    bound_weight: float = 0.3
    bound_margin: float = 0.25


BEST = Recipe()
BLIND = Recipe(network=NetworkConfig(blind=True), epochs=8, learning_rate=1e-3)
CELL = Recipe(network=cell_config(NetworkConfig()), epochs=40, batch_size=256, extra_share=0.5, bound_weight=0.0)
TABLE1 = Recipe(
    network=NetworkConfig(kind="table1", members=1),
    epochs=100,
    batch_size=448,
    learning_rate=1.7e-3,
    schedule="plateau",
    weight_decay=0.0,
    ema=0.0,
    patience=11,
    bound_weight=0.0,
)
RECIPES: dict[str, Recipe] = {"best": BEST, "table1": TABLE1}
"""Recipes by name. With strained copies, ``best`` goes on: :data:`BLIND` tunes the network to do without the lattice,
and :data:`CELL` trains the strain energy."""


@dataclass(frozen=True)
class Rows:
    """Rows with a target.

    Attributes:
        inputs: of N crystals.
        target: (N,) eV/atom.
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
        validation: real rows.
        extra, extra_validation: further rows with a target, such as strained copies, or None.
        bounded: crystals without known energy and, as target, the hull energy of their composition (eV/atom), or None.
    """

    train: Rows
    validation: Rows
    extra: Rows | None = None
    extra_validation: Rows | None = None
    bounded: Rows | None = None


@dataclass
class Epoch:
    """What an epoch ended with: its number, validation errors (eV/atom) and whether it is the best so far."""

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
    parameters = list(network.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    history: list[Epoch] = []
    scale = 1.0  # of the learning rate, under the plateau schedule
    if resume and checkpoint is not None and checkpoint.exists():
        history, scale = load_checkpoint(checkpoint, Epoch, network, average, best, optimiser, recipe, seed)

    members = recipe.network.members
    extra_share = recipe.extra_share if data.extra is not None else 0.0
    n_extra = round(recipe.batch_size * extra_share)
    n_real = recipe.batch_size - n_extra
    steps = math.ceil(len(data.train) / n_real)
    for number in range(len(history), recipe.epochs):
        if history and number - min(history, key=_score).number > recipe.patience:
            break
        generator = torch.Generator().manual_seed(seed * 100_003 + number)
        real = _orders(len(data.train), members, n_real * steps, generator)
        extra = _orders(len(data.extra), members, n_extra * steps, generator) if data.extra else None
        bounded = None
        if data.bounded is not None and recipe.bound_weight:
            bounded = _orders(len(data.bounded), members, (recipe.batch_size // 8) * steps, generator)
        network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 100_003 + number)  # dropout draws from the global generator
            for step in range(steps):
                rate = recipe.learning_rate * scale * _rate(recipe, number * steps + step, recipe.epochs * steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                loss = _loss(network, recipe, data, real, extra, bounded, step, steps)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 5.0)
                optimiser.step()
                _average(average, network, min(recipe.ema, step / (step + 10)) if number == 0 else recipe.ema)
        mae = mean_absolute_error(average, data.validation)
        extra_mae = mean_absolute_error(average, data.extra_validation) if data.extra_validation else 0.0
        epoch = Epoch(number, mae, extra_mae, best=False)
        epoch.best = not history or _score(epoch) < min(map(_score, history))
        history.append(epoch)
        if epoch.best:
            best.load_state_dict(average.state_dict())
        if recipe.schedule == "plateau" and number - max(e.number for e in history if e.best) >= 4:
            scale = scale / 2 if (number - max(e.number for e in history if e.best)) % 4 == 0 else scale
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
    real: Tensor,
    extra: Tensor | None,
    bounded: Tensor | None,
    step: int,
    steps: int,
) -> Tensor:
    """Huber loss of one step's rows, in units of the target's deviation, plus the penalty below the hull."""
    parts, targets = [], []
    for order, rows in ((real, data.train), (extra, data.extra), (bounded, data.bounded)):
        if order is not None and rows is not None:
            width = order.shape[1] // steps
            index = order[:, step * width : (step + 1) * width]
            parts.append(rows.inputs[index])
            targets.append(rows.target[index])
    terms = network.terms(_join(parts), network.tables())
    n_real, n_bounded = targets[0].shape[1], targets[-1].shape[1] if bounded is not None else 0
    target = torch.cat(targets, 1)
    known = target.shape[1] - n_bounded
    loss = F.huber_loss(terms.energy[:, :known], target[:, :known], delta=recipe.huber) / recipe.huber
    if terms.equilibrium is not None:
        loss = loss + equilibrium_loss(terms.equilibrium[:, :n_real], parts[0])
    if n_bounded:
        below = F.relu(target[:, known:] - recipe.bound_margin - terms.energy[:, known:])
        loss = loss + recipe.bound_weight * below.mean()
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


def _score(epoch: Epoch) -> float:
    return epoch.validation_mae + 0.2 * epoch.extra_mae
