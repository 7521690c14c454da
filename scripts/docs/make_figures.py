"""Draw the figures of the paper (arXiv 2310.04925) and a few more, from samples and crystals with labels.

    python scripts/docs/make_figures.py --samples paper=paper.parquet --samples twelve-elements=twelve.parquet \
        --untrained untrained=untrained.parquet --real crystals.parquet \
        --structures twelve-elements=run/structures.parquet --constraints twelve-elements=twelve-elements -o docs/images

Only figures are written, no data of the labelled crystals. Figures for which a table is missing are left out. Needs
matplotlib, which comes with pymatgen.

energies         figure 2: densities of the predicted energy, one panel for each proxy
proxy-parity     figure 4: predicted against true energies of held-out crystals
proxy-errors     figure 5: errors by energy
elements         figures 6 and 7: prevalence by atoms and by presence
co-occurrence    figure 8
space-groups     figure 9
lattice          figure 10
volumes          volume per atom against the estimate from the composition
above-hull       energies above hull of relaxed samples
funnel           proposals drawn without look-ahead that are left after each constraint
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import figures
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from one_line_errors import one_line_errors
from plotting import STYLE
from reproduce import named

from crystalgfn.config import load_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.funnel import funnel
from crystalgfn.properties.registry import resolve
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.evaluate import predict, split_of
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.report.summary import energy_column
from crystalgfn.structures.candidates.schema import UNIT
from crystalgfn.structures.candidates.table import CandidateTable

DPI = 120
PROPOSALS = 100_000
"""Number of crystals drawn without look-ahead."""

Drawing = tuple[tuple[float, float], Callable[[Figure], None]]


def drawings(
    trained: Mapping[str, Crystals],
    untrained: Mapping[str, Crystals],
    real: Path | None,
    candidates: Mapping[str, Path],
    constraints: Mapping[str, Path],
) -> dict[str, Drawing]:
    """Return, by name, the size in inches and the drawing function of each figure that the tables allow.

    Args:
        trained, untrained: samples by name; each with energies in eV/atom.
        real: table of crystals with labels.
        candidates: tables of ``crystalgfn structures`` by name.
        constraints: presets, runs or configuration files by the name of their samples.

    Raises:
        DataError: a table without energies, or no real crystal within the samples' elements.
    """
    colour = figures.colours([*trained, *(n for n in candidates if n not in trained)], list(untrained))
    columns = {name: _energy(name, table) for name, table in (trained | untrained).items()}
    shown = dict(trained)
    found: dict[str, Drawing] = {}
    if real is not None:
        labelled = read_labelled(real).crystals
        vocabulary = {z for table in trained.values() for z in table.elements}
        shown[figures.REAL_NAME] = within(labelled, vocabulary)
        proxies = _predictions(real, list(dict.fromkeys(c.split(" [")[0] for c in columns.values())), vocabulary)
        if proxies:
            n = len(proxies)
            found["proxy-parity"] = (3.7 * (n + 1), 3.7), lambda f: figures.parity(f, proxies)
            found["proxy-errors"] = (5.0 * n, 3.4), lambda f: figures.error_by_energy(f, proxies)
    judged = _judged(trained | untrained, columns, shown.get(figures.REAL_NAME))
    n = len(shown)
    found["energies"] = (5.0 * len(judged), 3.4), lambda f: figures.energies(f, judged, colour)
    found["elements"] = (10, 5.4), lambda f: figures.elements(f, shown, colour)
    found["co-occurrence"] = (2.9 * n + 1, 3.3), lambda f: figures.co_occurrence(f, shown)
    found["space-groups"] = (10, 1.6 * n + 0.6), lambda f: figures.space_groups(f, shown, colour)
    found["lattice"] = (10, 5.2), lambda f: figures.lattice(f, shown, colour)
    found["volumes"] = (10, 3.8), lambda f: figures.volumes(f, shown, colour)
    if candidates:
        relaxed = {name: _relaxed(path) for name, path in candidates.items()}
        found["above-hull"] = (10, 3.8), lambda f: figures.above_hull(f, relaxed, colour)
    if constraints:
        sections = {name: load_config(model).constraints.model_dump() for name, model in constraints.items()}
        left = {name: funnel(section, trained.get(name), n=PROPOSALS) for name, section in sections.items()}
        found["funnel"] = (5.0 * len(left), 3.2), lambda f: figures.funnel(f, left, colour)
    return found


def within(crystals: Crystals, elements: Iterable[int]) -> Crystals:
    """Return the crystals that have only the given elements (atomic numbers).

    Raises:
        DataError: there are no such crystals.
    """
    kept = crystals[_only(crystals, set(elements))]
    if not len(kept):
        raise DataError(f"none of {len(crystals)} real crystals has only elements of the samples, allowed: 1 or more")
    return kept


def _only(crystals: Crystals, elements: set[int]) -> np.ndarray:
    foreign = [column for column, z in enumerate(crystals.elements) if z not in elements]
    return ~(crystals.counts[:, foreign] > 0).any(1).numpy()


def _energy(name: str, crystals: Crystals) -> str:
    column = energy_column(crystals)
    if column is None:
        raise DataError(f"{name}: no column in eV/atom, found {', '.join(crystals.columns) or 'none'}")
    return column


def _judged(
    tables: Mapping[str, Crystals], columns: Mapping[str, str], real: Crystals | None
) -> dict[str, dict[str, figures.Floats]]:
    """Return energies by proxy and table: for each proxy its own samples and the real crystals."""
    found: dict[str, dict[str, figures.Floats]] = {}
    for name, table in tables.items():
        proxy = columns[name].split(" [")[0]
        found.setdefault(proxy, {})[name] = table.column(columns[name]).astype(float)
    if real is not None:
        for proxy, values in found.items():
            values[figures.REAL_NAME] = resolve(proxy)(real).numpy().astype(float)
    return found


def _predictions(real: Path, proxies: Sequence[str], elements: set[int]) -> dict[str, figures.Predictions]:
    """Return each proxy's predictions for the rows held out in its training, or for all rows of another table."""
    found, table = {}, read_labelled(real)
    for proxy in proxies:
        model = ProxyProperty.load(proxy)
        split = split_of(table, model.card)
        test = split.test if split is not None else np.ones(len(table.target), dtype=bool)
        crystals = table.crystals[np.flatnonzero(test)]
        fitted = table.target[~test]
        predicted = predict(model, crystals)
        found[proxy] = figures.Predictions(predicted, table.target[test], fitted, _only(crystals, elements))
    return found


def _relaxed(path: Path) -> dict[str, Any]:
    """Return the energies (eV/atom) of the candidates of ``crystalgfn structures``."""
    table = CandidateTable.read(path)
    above, relaxed = table.above_hull, table.formation
    if above is None or relaxed is None:
        raise DataError(f"{path}: no energies above hull, allowed: a table of crystalgfn structures with a hull")
    given = next((name for row in table.rows for name in row.inputs if name.endswith(f"[{UNIT}]")), "")
    return {
        "above": np.array([row.energy(above) for row in table.rows]),
        "relaxed": np.array([row.energy(relaxed) for row in table.rows]),
        "predicted": np.array([row.inputs.get(given, np.nan) for row in table.rows]),
        "n": len(table),
        "method": relaxed.potential,
    }


def write(found: Mapping[str, Drawing], folder: Path) -> None:
    """Draw figures into a folder as PNG, on white, which suits light and dark pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (size, draw) in found.items():
        with mpl.rc_context(STYLE):
            padding = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
            figure = Figure(figsize=size, layout=padding, facecolor="white")
            draw(figure)
            figure.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script; 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    table = {"type": named, "action": "append", "metavar": "NAME=TABLE"}
    parser.add_argument("--samples", required=True, help="samples of a trained model", **table)  # type: ignore[arg-type]
    parser.add_argument("--untrained", default=[], help="samples of an untrained one", **table)  # type: ignore[arg-type]
    parser.add_argument("--real", type=Path, metavar="TABLE", help="crystals with formation energies")
    parser.add_argument("--structures", default=[], help="tables of crystalgfn structures", **table)  # type: ignore[arg-type]
    parser.add_argument(
        "--constraints",
        default=[],
        type=named,
        action="append",
        metavar="NAME=MODEL",
        help="preset, run or configuration file",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    trained = {name: Crystals.from_file(path) for name, path in options.samples}
    untrained = {name: Crystals.from_file(path) for name, path in options.untrained}
    write(
        drawings(trained, untrained, options.real, dict(options.structures), dict(options.constraints)),
        options.output,
    )


if __name__ == "__main__":
    sys.exit(main())
