"""Does a model know when it is wrong? Error against predicted deviation and against distance from the training data.

python benchmarks/uncertainty.py crystals.parquet --strained STRAINED.parquet --hull hull_entries.parquet

The sets were not used in training: test rows; their copies with 0.5 to 2.5 times the volume (labels of CHGNet; of
the formulas that did not set the deviation of strains), and deviation and distance alone up to 3 times; test rows whose
set of elements occurs in no training row; entries of the hull with a test formula, as compositions without structure
against the energy of the hull. Errors are absolute, eV/atom.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import measure, parser, report
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.data.energy_rows import read_hull_entries
from crystalgfn.proxies.data.labelled import KIND, LabelledCrystals, read_labelled
from crystalgfn.proxies.data.splits import unseen_systems
from crystalgfn.proxies.domain import TrainingDomain
from crystalgfn.proxies.evaluate import split_of
from crystalgfn.proxies.models import ProxyProperty, model_folder
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.volume import VolumeNetwork

Floats = NDArray[np.float64]
DISTANCES = (0, 0.5, 0.75, 1, 1.5, 2, 4, np.inf)
FIFTHS = 5
RATIOS = (0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.5, 2, 2.5, 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("data", type=Path, help="crystals table that the model was trained on")
    options_parser.add_argument("--strained", type=Path, help="strained copies")
    options_parser.add_argument("--hull", type=Path, help="entries of the hull")
    options_parser.add_argument("--model", default="formation_energy", help="name or folder")
    options_parser.add_argument("--batch", type=int, default=100)
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    model = ProxyProperty.load(options.model)
    domain = TrainingDomain.load(model_folder(options.model))
    table = read_labelled(options.data)
    split = split_of(table, model.card)
    if split is None:
        raise SystemExit(f"{options.data}: not the table that {options.model} was trained on")
    test = table.crystals[split.test]
    results = judge("test rows", model, domain, test, table.target[split.test])
    unseen = unseen_systems(table.systems, split)
    results += judge("unseen chemical systems", model, domain, table.crystals[unseen], table.target[unseen])
    if options.strained is not None:
        copies = read_labelled(options.strained)
        sides = np.array(split.side_of(table.crystals.formulas, copies.crystals.formulas), dtype=object)
        kept = (sides == "test") & (np.asarray(copies.crystals.column(KIND), dtype=object) == "isotropic")
        number = np.unique(np.asarray(copies.crystals.formulas, dtype=str)[kept], return_inverse=True)[1]
        rows = np.flatnonzero(kept)[number % 2 == 1]
        results += judge("volume 0.5 to 2.5", model, domain, copies.crystals[rows], copies.target[rows])
    if options.hull is not None:
        results += compositions(options.hull, model, domain, table, split.test)
    results += volumes(model, domain, test[: 50 * options.batch])
    results += costs(model, domain, test[: options.batch], options.seconds)
    configuration = {"model": options.model, "members": model.network.config.members, "data": table.sha256[:12]}
    report("uncertainty", options, configuration, results)
    return 0


def judge(
    name: str, model: ProxyProperty, domain: TrainingDomain, crystals: Crystals, true: Floats
) -> list[dict[str, Any]]:
    """Return rank correlations of the error with deviation and distance, and the error in bins of both."""
    mean, deviation, distance = _judged(model, domain, crystals)
    return _tables(name, np.abs(mean - true), deviation, distance)


def _tables(name: str, error: Floats, deviation: Floats, distance: Floats) -> list[dict[str, Any]]:
    summary = {
        "set": name,
        "n": len(error),
        "mae": error.mean(),
        "deviation": deviation.mean(),
        "rank correlation with deviation": rank_correlation(error, deviation),
        "with distance": rank_correlation(error, distance),
        "within 1 deviation": (error < deviation).mean(),
        "within 2": (error < 2 * deviation).mean(),
        "beyond distance 1": (distance > 1).mean(),
    }
    fifths = np.quantile(deviation, np.linspace(0, 1, FIFTHS + 1))
    fifths[-1] = np.inf
    return [
        summary,
        *_binned(name, "deviation", deviation, fifths, error, deviation),
        *_binned(name, "distance", distance, DISTANCES, error, deviation),
    ]


def volumes(model: ProxyProperty, domain: TrainingDomain, crystals: Crystals) -> list[dict[str, Any]]:
    """Return mean deviation and median distance of crystals scaled to other volumes; no labels are needed."""
    results = []
    for ratio in RATIOS:
        lattice = crystals.lattice.clone()
        lattice[:, :3] *= ratio ** (1 / 3)
        scaled = Crystals(crystals.elements, crystals.space_group, crystals.counts, lattice)
        _, deviation, distance = _judged(model, domain, scaled)
        results.append(
            {"set": "scaled", "volume": ratio, "deviation": deviation.mean(), "distance": np.median(distance)}
        )
    return results


def compositions(
    path: Path, model: ProxyProperty, domain: TrainingDomain, table: LabelledCrystals, test: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """Judge hull entries with a test formula, without space group and cell: only the composition can be far."""
    elements = table.crystals.elements
    counts, energy = read_hull_entries(path, elements, set())
    cells = torch.tensor([[5.0, 5.0, 5.0, 90.0, 90.0, 90.0]], dtype=torch.float64).expand(len(counts), 6)
    crystals = Crystals(elements, torch.ones(len(counts), dtype=torch.int64), torch.as_tensor(counts), cells)
    formulas, first = np.unique(np.asarray(crystals.formulas, dtype=str), return_index=True)
    test_formulas = set(np.asarray(table.crystals.formulas, dtype=object)[test])
    rows = first[[formula in test_formulas for formula in formulas.tolist()]]
    crystals, energy = crystals[rows], energy[rows]
    network = model.network.relaxed if isinstance(model.network, VolumeNetwork) else model.network
    inputs = Featuriser(network.properties, network.volumes)(crystals).without_structure(network.descriptor_mean)
    with torch.no_grad():
        energies = network(inputs.for_all_members())
    error = np.abs(energies.mean(0).double().numpy() - energy)
    return _tables(
        "compositions alone",
        error,
        energies.std(0, correction=0).double().numpy(),
        domain.parts(crystals)[0].double().numpy(),
    )


def costs(model: ProxyProperty, domain: TrainingDomain, crystals: Crystals, seconds: float) -> list[dict[str, Any]]:
    """Return the times of the ensemble, of one member and of the distance, for the same crystals."""
    from dataclasses import replace

    single = ProxyProperty(build(replace(model.network.config, members=1)), model.card)
    works = {
        "ensemble": partial(model, crystals),
        "mean and deviation": partial(model.with_deviation, crystals),
        "one member": partial(single, crystals),
        "distance": partial(domain.distance, crystals),
    }
    return [
        {"what": name, "batch": len(crystals), **measure(work, len(crystals), seconds=seconds).as_dict()}
        for name, work in works.items()
    ]


def rank_correlation(left: Floats, right: Floats) -> float:
    """Return Spearman's coefficient; ties rank in order of appearance."""
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (left, right)]
    return float(np.corrcoef(*ranks)[0, 1])


def _judged(model: ProxyProperty, domain: TrainingDomain, crystals: Crystals) -> tuple[Floats, Floats, Floats]:
    mean, deviation = model.with_deviation(crystals)
    mean, deviation, distance = (x.double().numpy() for x in (mean, deviation, domain.distance(crystals)))
    return mean, deviation, distance


def _binned(
    name: str, by: str, values: Floats, edges: Sequence[float] | Floats, error: Floats, deviation: Floats
) -> list[dict[str, Any]]:
    bins = []
    for low, high in pairwise(edges):
        chosen = (values >= low) & (values < high)
        if chosen.any():
            row = {"set": name, "by": by, "from": float(low), "to": float(high), "n": int(chosen.sum())}
            bins.append({**row, "mae": error[chosen].mean(), "deviation": deviation[chosen].mean()})
    return bins


if __name__ == "__main__":
    sys.exit(main())
