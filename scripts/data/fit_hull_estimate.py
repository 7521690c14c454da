"""Train the estimate of hull energies that ships with the builtin hull.

    python scripts/data/fit_hull_estimate.py HULL_ENTRIES.parquet -o src/crystalgfn/stability/data/estimate.safetensors

HULL_ENTRIES.parquet has elements (JSON counts), formation_energy_per_atom and e_above_hull (eV/atom): their difference
is the energy of the full hull at the composition of the entry. Compounds that
:func:`crystalgfn.stability.estimate.held_out` names are left out; the error there is printed and written into the file,
and the deviation is fitted there. About five CPU minutes on one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.files.tensors import write_tensors
from crystalgfn.stability.estimate import held_out, padded
from crystalgfn.stability.network import HullNetwork, Sizes

EPOCHS, BATCH, RATE, DECAY, WARM_UP, AVERAGE = 28, 512, 2e-3, 0.02, 200, 0.995
"""Passes over the rows, rows of a step, highest rate, weight decay, steps of warm-up, memory of averaged weights."""

BUCKET = 16
"""Batches of rows that are sorted by their number of elements together, so that batches need little padding."""

HUBER = 0.05
"""Error (eV/atom) up to which the loss is quadratic."""


def main() -> None:
    """Parse the command line, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("entries", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--members", type=int, default=Sizes.members)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    counts, energies, kinds = compounds(options.entries)
    elements = [z for z in range(1, len(SYMBOLS)) if bool((counts[:, z] > 0).any())]
    numbers, fractions = padded(range(len(SYMBOLS)), counts)
    learned = torch.from_numpy(np.flatnonzero(kinds == ""))
    print(f"{len(energies):,} compounds of {len(elements)} elements, {len(energies) - len(learned):,} held out")
    network, started = HullNetwork(Sizes(members=options.members)), time.process_time()
    train(network, numbers[learned], fractions[learned], energies[learned], options.epochs, options.seed)
    seconds = time.process_time() - started
    network = network.half().float().eval()  # as the file has it
    with torch.no_grad():
        chunks = zip(numbers.split(2048), fractions.split(2048), strict=True)
        members = torch.cat([network(*chunk) for chunk in chunks], 1)
    error, deviation = (members.mean(0) - energies).numpy(), members.std(0, correction=0).numpy()
    spread, floor = calibrated(error[kinds != ""], deviation[kinds != ""])
    measured = {kind or "trained": summary(error[kinds == kind]) for kind in ("system", "formula", "")}
    header = {
        "sizes": network.described(),
        "spread": spread,
        "floor": floor,
        "elements": [SYMBOLS[z] for z in elements],
        "compounds": len(learned),
        "error": measured,
        "cpu_seconds": round(seconds),
        "source": "Materials Project (CC BY 4.0; Jain et al., APL Materials 1, 011002, 2013)",
    }
    write_tensors(options.output, {name: tensor.half() for name, tensor in network.state_dict().items()}, header)
    print(json.dumps({k: header[k] for k in ("spread", "floor", "error", "cpu_seconds")}, indent=1))


def compounds(path: Path) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return counts (B, 119), hull energies (B,), eV/atom, and why each is held out (B,); each composition once."""
    table = pq.read_table(path, columns=["elements", "formation_energy_per_atom", "e_above_hull"])
    lowest: dict[tuple[tuple[str, int], ...], float] = {}
    for text, energy, above in zip(*(column.to_pylist() for column in table.columns), strict=True):
        amounts = {symbol: round(n) for symbol, n in json.loads(text).items()}
        if len(amounts) < 2 or energy is None or above is None:
            continue
        divisor = math.gcd(*amounts.values())
        key = tuple(sorted((symbol, n // divisor) for symbol, n in amounts.items()))
        lowest[key] = min(lowest.get(key, math.inf), energy - above)
    keys = sorted(lowest)
    counts = torch.zeros(len(keys), len(SYMBOLS), dtype=torch.int64)
    for row, key in enumerate(keys):
        for symbol, n in key:
            counts[row, atomic_number(symbol)] = n
    kinds = np.array([held_out(dict(key)) for key in keys], dtype=object)
    return counts, torch.tensor([lowest[key] for key in keys], dtype=torch.float32), kinds


def train(network: HullNetwork, numbers: Tensor, fractions: Tensor, energies: Tensor, epochs: int, seed: int) -> None:
    """Train a network, which ends with the running average of its weights.

    Args:
        network: network with random weights.
        numbers, fractions: (B, K), see :class:`HullNetwork`.
        energies: (B,) eV/atom.
        epochs: passes over the rows.
        seed: seed of the order of the rows.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.98))
    average = [weight.detach().clone() for weight in network.parameters()]
    generator, step = np.random.default_rng(seed), 0
    sizes = (numbers > 0).sum(1).numpy()
    steps = epochs * (len(sizes) // BATCH)
    network.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in batches(sizes, generator):
            step += 1
            rate = RATE * min(1.0, step / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
            optimiser.param_groups[0]["lr"] = rate
            width = int(sizes[rows].max())
            found = network(numbers[rows, :width], fractions[rows, :width])
            loss = F.smooth_l1_loss(found, energies[rows].expand_as(found), beta=HUBER)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            total += float(loss.detach())
            memory = min(AVERAGE, step / (step + 10))
            torch._foreach_lerp_(average, [weight.detach() for weight in network.parameters()], 1 - memory)
        print(f"epoch {epoch + 1} of {epochs}: loss {total * BATCH / len(sizes):.4f}", flush=True)
    with torch.no_grad():
        for weight, mean in zip(network.parameters(), average, strict=True):
            weight.copy_(mean)


def batches(sizes: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield rows of batches in random order, those of a batch with about as many elements."""
    order = generator.permutation(len(sizes))[: len(sizes) // BATCH * BATCH]
    parts = [order[start : start + BUCKET * BATCH] for start in range(0, len(order), BUCKET * BATCH)]
    sorted_parts = [part[np.argsort(sizes[part], kind="stable")].reshape(-1, BATCH) for part in parts]
    joined = np.concatenate(sorted_parts)
    yield from joined[generator.permutation(len(joined))]


def calibrated(error: np.ndarray, deviation: np.ndarray) -> tuple[float, float]:
    """Return spread and floor (eV/atom) of the deviation under which the errors (B,) are most probable.

    The likelihood is that of Laplace's distribution, whose tails are those of the errors.
    """
    spreads, floors = np.linspace(0, 3, 31), np.linspace(0.002, 0.06, 30)
    scale = np.sqrt((spreads[:, None, None] * deviation) ** 2 + floors[:, None] ** 2) / math.sqrt(2)
    surprise = (np.abs(error) / scale + np.log(scale)).mean(-1)
    best = np.unravel_index(surprise.argmin(), surprise.shape)
    return round(float(spreads[best[0]]), 3), round(float(floors[best[1]]), 4)


def summary(error: np.ndarray) -> dict[str, float]:
    """Return number, mean and median absolute error, and bias, eV/atom."""
    size = np.abs(error)
    numbers = {"mae": size.mean(), "median": np.median(size), "bias": error.mean()}
    return {"n": len(error), **{name: round(float(value), 4) for name, value in numbers.items()}}


if __name__ == "__main__":
    main()
