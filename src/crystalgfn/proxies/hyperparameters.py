"""Hyperparameters: everything that decides how one network is fitted, and the values that the shipped models have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.volume import cell_config


@dataclass(frozen=True)
class Hyperparameters:
    """How a network is fitted.

    Attributes:
        network: its architecture.
        epochs: passes over the real rows.
        batch_size: real rows in a step, for each member.
        extra_size: extra rows in a step, for each member, if there are any.
        learning_rate: its peak; it warms up over the first steps and then follows ``schedule``.
        schedule: ``"cosine"`` to zero, or ``"plateau"``: halved when validation has not improved for 4 epochs.
        weight_decay: weight decay of AdamW.
        ema: decay of the averaged weights per step.
        patience: epochs without improvement after which training stops.
        huber: eV/atom beyond which the loss is linear.
        strained_cap: eV/atom; changes of energy by strain are clipped to this value.
        shape_limit: strained copies whose axial ratios changed by more than this factor, or whose angles by more than
            10 degree, are left out; 0 for none.
        trained: ``"all"`` parameters, ``"shape"`` (parameters whose names begin with "shape"), or ``"not shape"``.
        equilibrium_weight: weight of the error of the expected cell, where the network has one.
        bound_weight: weight of the penalty on random crystals predicted below the convex hull of the training rows.
        bound_margin: eV/atom that a prediction may lie below that hull at no cost.
        borrowed_weight: weight of the penalty on known compositions in a borrowed structure, predicted below the hull
            less ``bound_margin`` or above it by more than ``borrowed_margin``.
        borrowed_margin: eV/atom that such a prediction may lie above the hull at no cost.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 36
    batch_size: int = 192
    extra_size: int = 128
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 5e-2
    ema: float = 0.998
    patience: int = 20
    huber: float = 0.05
    strained_cap: float = 5.0
    shape_limit: float = 0.0
    trained: str = "all"
    equilibrium_weight: float = 1.0
    bound_weight: float = 0.3
    bound_margin: float = 0.25
    borrowed_weight: float = 0.0
    borrowed_margin: float = 0.12


BEST = Hyperparameters()
SETTLE = Hyperparameters(network=NetworkConfig(reach=4.0), epochs=6, learning_rate=1e-3, borrowed_weight=0.5)
BLIND = replace(SETTLE, network=NetworkConfig(reach=4.0, blind=True), epochs=8)
CELL = Hyperparameters(
    network=cell_config(NetworkConfig()),
    epochs=24,
    batch_size=128,
    extra_size=128,
    huber=0.02,
    shape_limit=1.35,
    trained="not shape",
    equilibrium_weight=4.0,
    bound_weight=0.0,
)
SHAPE = replace(CELL, epochs=12, batch_size=256, extra_size=96, shape_limit=0.0, trained="shape")
TABLE1 = Hyperparameters(
    network=NetworkConfig(kind="table1", members=1),
    epochs=100,
    batch_size=448,
    extra_size=0,
    learning_rate=1.7e-3,
    schedule="plateau",
    weight_decay=0.0,
    ema=0.0,
    patience=11,
    bound_weight=0.0,
)
GAP = Hyperparameters(
    network=NetworkConfig(kind="gap", members=5, dropout=0.15), huber=0.1, extra_size=0, bound_weight=0.0
)
ORBITS = Hyperparameters(
    network=NetworkConfig(kind="orbits", token_size=64, hidden=192, dropout=0.1, blind=True),
    epochs=18,
    extra_size=64,
    ema=0.99,
    bound_weight=0.0,
    equilibrium_weight=0.3,
)
SCALAR = Hyperparameters(network=NetworkConfig(kind="scalar", dropout=0.1), huber=0.3, extra_size=0, bound_weight=0.0)
RECIPES: dict[str, Hyperparameters] = {
    "best": BEST,
    "energy": BEST,
    "table1": TABLE1,
    "gap": GAP,
    "orbits": ORBITS,
    "scalar": SCALAR,
}
"""Hyperparameters of the first phase of each recipe. ``energy`` is ``best`` without its further phases, for which see
:mod:`crystalgfn.proxies.phases`. ``gap`` is for the band gap, ``orbits`` for
the energy above the hull, ``scalar`` for any other column."""

STEPS = 1200
"""Steps of a training on few rows, at least."""


def for_rows(hyperparameters: Hyperparameters, rows: int, *, transformation: str) -> Hyperparameters:
    """Return hyperparameters for a column of the user's: smaller batches and more epochs where rows are few.

    Args:
        hyperparameters: those of the recipe.
        rows: training rows.
        transformation: what the network learns.
    """
    batch = min(hyperparameters.batch_size, max(16, rows // 8))
    epochs = max(hyperparameters.epochs, STEPS // -(-rows // batch))
    network = replace(hyperparameters.network, transformation=transformation)
    return replace(hyperparameters, network=network, batch_size=batch, epochs=epochs, patience=max(20, epochs // 3))
