"""Small synthetic tables for the tests of properties: made-up energies, real cell conventions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from crystalgfn.crystallography.elements import ATOMIC_VOLUME, SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.hyperparameters import Hyperparameters
from crystalgfn.proxies.networks.base import NetworkConfig

SYMBOLS_USED = ("Li", "O", "F", "Mg", "Na", "Cl", "Fe", "S")

SMALL_FIT = Hyperparameters(
    network=NetworkConfig(kind="cell", members=2, token_size=16, hidden=32, blocks=1, dropout=0.1),
    epochs=4,
    batch_size=32,
)
"""A fit of a second."""


def one(formula: dict[str, int], space_group: int, lattice: tuple[float, ...]) -> Crystals:
    """One crystal from counts by symbol, space group and a, b, c (A), alpha, beta, gamma (degree)."""
    elements = tuple(SYMBOLS.index(symbol) for symbol in formula)
    return Crystals(
        elements,
        torch.tensor([space_group]),
        torch.tensor([list(formula.values())]),
        torch.tensor([lattice], dtype=torch.float64),
    )


def cubic(a: float) -> tuple[float, ...]:
    return (a, a, a, 90.0, 90.0, 90.0)


def table(rows: int = 160, *, seed: int = 0) -> pd.DataFrame:
    """A crystals table with a target that composition explains."""
    rng = np.random.default_rng(seed)
    out = []
    for row in range(rows):
        chosen = rng.choice(len(SYMBOLS_USED), size=rng.integers(2, 4), replace=False)
        counts = {SYMBOLS_USED[i]: int(4 * rng.integers(1, 4)) for i in chosen}
        estimate = sum(n * ATOMIC_VOLUME[SYMBOLS.index(s)] for s, n in counts.items())
        a = float((estimate * rng.uniform(0.9, 1.1)) ** (1 / 3))
        n_atoms = sum(counts.values())
        energy = -sum(n * (0.3 + SYMBOLS_USED.index(s) * 0.09) for s, n in counts.items()) / n_atoms
        out.append(
            {
                "material_id": f"made-up-{row}",
                "source": "wbm" if row % 3 == 0 else "mp20b_test",
                "elements": json.dumps(counts),
                "spacegroup": int(rng.choice([221, 225, 227, 216])),
                "a": a,
                "b": a,
                "c": a,
                "alpha": 90.0,
                "beta": 90.0,
                "gamma": 90.0,
                "formation_energy_per_atom": energy + 0.02 * rng.normal(),
            }
        )
    return pd.DataFrame(out)


def strained(frame: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Strained copies of a table: isotropic, a quadratic cost in the logarithm of the volume."""
    rng = np.random.default_rng(seed)
    out = frame.drop(columns="formation_energy_per_atom").copy()
    ratio = np.exp(rng.uniform(np.log(0.5), np.log(2.5), len(frame)))
    for axis in "abc":
        out[axis] = frame[axis] * ratio ** (1 / 3)
    out["kind"] = "isotropic"
    out["volume_ratio"] = ratio
    out["energy_change"] = 4 * np.log(ratio) ** 2
    out["formation_energy_per_atom"] = frame["formation_energy_per_atom"] + out["energy_change"]
    return out


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path)
    return path


SITES = {
    225: ((("a", 4), ("b", 4)), (("a", 4), ("c", 8))),
    221: ((("a", 1), ("b", 1)), (("a", 1), ("b", 1), ("c", 3))),
}
"""Occupied positions of rock salt, fluorite, the caesium chloride type and perovskite, by space group."""


def sited(rows: int = 160, *, seed: int = 0) -> pd.DataFrame:
    """A crystals table with sites, and an energy above the hull that the sites explain: fluorites are not stable."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(rows):
        group = int(rng.choice([221, 225]))
        which = int(rng.integers(2))
        positions = SITES[group][which]
        chosen = [SYMBOLS_USED[i] for i in rng.choice(len(SYMBOLS_USED), size=len(positions), replace=False)]
        counts = {symbol: n for symbol, (_, n) in zip(chosen, positions, strict=True)}
        wyckoff = [[symbol, letter, n] for symbol, (letter, n) in zip(chosen, positions, strict=True)]
        a = float(sum(n * ATOMIC_VOLUME[SYMBOLS.index(s)] for s, n in counts.items()) ** (1 / 3))
        out.append(
            {
                "source": "made up",
                "elements": json.dumps(counts),
                "spacegroup": group,
                **dict.fromkeys("abc", a),
                **dict.fromkeys(("alpha", "beta", "gamma"), 90.0),
                "wyckoff": json.dumps(wyckoff),
                "e_above_hull": (0.3 if group == 225 and which else 0.0) + 0.01 * rng.normal(),
                "formation_energy_per_atom": -1.0 - 0.2 * SYMBOLS_USED.index(chosen[0]),
            }
        )
    return pd.DataFrame(out)
