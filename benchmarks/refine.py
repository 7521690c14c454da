"""Effect of refining a property model with relaxed candidates.

    python benchmarks/refine.py crystals.parquet candidates --rows 100 --data real.parquet

``candidates`` is the folder that ``crystalgfn structures`` made from ``crystals.parquet``. The model is refined with
the candidates of the first ``--rows`` rows and measured on the others: error of the energy that proposals relax to (at
most 0.5 eV/atom above the hull, as in the loop), rank correlation of the energy above hull, error of the change of
energy of copies with other volumes, and error on the test rows of real crystals.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets import import_source
from crystalgfn.datasets.candidates import CandidateFolder
from crystalgfn.proxies.data.labelled import LabelledCrystals, read_labelled
from crystalgfn.proxies.evaluate import split_of
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.refine import changes, refine
from crystalgfn.runs.loop.learned import CAP
from crystalgfn.structures.candidates.table import CandidateTable


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value."""
    return values.argsort().argsort()


def of_rows(table: LabelledCrystals, mask: np.ndarray) -> LabelledCrystals:
    """Return the rows of a table that the mask marks."""
    rows = np.flatnonzero(mask)
    return LabelledCrystals(table.crystals[rows], table.target[rows], table.sha256, table.name)


def strain(model: ProxyProperty, table: LabelledCrystals) -> np.ndarray:
    """Return the predicted strain energy (N,), eV/atom."""
    inputs = Featuriser()(table.crystals)
    lead = inputs.for_all_members()
    with torch.no_grad():
        return model.network.parts(lead, model.network.tables())[1].energy.mean(0).double().numpy()


def main() -> None:
    """Parse the command line, refine, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("crystals", type=Path)
    parser.add_argument("candidates", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--model", default="formation_energy")
    parser.add_argument("--data", type=Path, required=True, help="real crystals")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, real = ProxyProperty.load(options.model), read_labelled(options.data)
    split = split_of(real, model.card)
    tests = of_rows(real, split.test) if split is not None else real

    candidates = CandidateTable.read(options.candidates / "structures.parquet")
    formation, above = candidates.formation, candidates.above_hull
    rows = [row for row in candidates.rows if np.isfinite(row.energy(above))]
    relaxed = np.array([row.energy(formation) for row in rows])
    distance = np.array([row.energy(above) for row in rows])
    hull = relaxed - distance
    table = LabelledCrystals(
        Crystals.from_file(options.crystals)[[row.row for row in rows]], hull + np.minimum(distance, CAP), "", ""
    )
    first = np.array([row.row < options.rows for row in rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        import_source(CandidateFolder(options.candidates, flagged=True), path)
        copies = read_labelled(path)
    numbers = np.array([int(re.findall(r"-(\d{8})", str(x))[-1]) for x in copies.crystals.columns["material_id"]])

    def report(name: str, shown: ProxyProperty) -> None:
        later = of_rows(table, ~first)
        predicted = shown(later.crystals).double().numpy()
        base = hull[~first]
        change, mask = changes(copies)
        mask = mask & (numbers >= options.rows)
        strained = strain(shown, copies)
        print(
            f"| {name} | {np.abs(predicted - later.target).mean():.3f} | "
            f"{np.corrcoef(ranks(predicted - base), ranks(later.target - base))[0, 1]:.2f} | "
            f"{np.abs(strained - change)[mask].mean():.3f} | {np.corrcoef(strained[mask], change[mask])[0, 1]:.2f} | "
            f"{np.abs(shown(tests.crystals).double().numpy() - tests.target).mean():.4f} |"
        )

    print(f"refined with {first.sum()} candidates, measured on {(~first).sum()} others")
    print("| | outcomes, MAE | rank above hull | scaled copies, MAE of change | correlation | real test rows, MAE |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    report("as it was", model)
    known = of_rows(table, first), of_rows(copies, numbers < options.rows)
    for name, rehearsal in (("refined", real), ("refined, without real crystals", None)):
        report(name, ProxyProperty(refine(model, *known, rehearsal=rehearsal, seed=0), model.card))


if __name__ == "__main__":
    main()
