"""Compare metrics of this package with independent tools on the same crystals: a table for docs/evaluation.md.

    python scripts/docs/cross_check.py --samples twelve-elements.parquet --samples paper.parquet \
        --real crystals.parquet --relaxed run/all.extxyz --known structures.parquet --hull hull_entries.parquet \
        --page docs/evaluation.md

Each part runs where its tool is installed and its tables are given, and is left out otherwise:

smact        whether compositions are neutral and pass the Pauling test (--samples, --real)
pymatgen     groups of the same crystal (--relaxed)
mattergen    unique, novel and stable (--relaxed, --known, --hull)
torchgfn     log Z, ELBO, EUBO and total variation on the HyperGrid, whose exact values are known

mattergen and torchgfn pin old versions of everything. Their evaluators need few of these, so install them into a
disposable copy of the environment:

    pip install --no-deps mattergen lmdb cachetools contextlib2
    pip install --no-deps torchgfn tensordict pyvers einops linear-attention-transformer linformer local-attention \
        product-key-memory axial-positional-embedding hyper-connections colt5-attention
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from one_line_errors import one_line_errors

from crystalgfn.crystallography.balance import ordered_by_electronegativity
from crystalgfn.crystallography.charges import OXIDATION_STATES
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.metrics import neutral
from crystalgfn.report.pages import fill
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.duplicates import Reference, duplicate_groups

STABLE = 0.1
"""Energy above hull up to which a structure counts as stable, eV/atom."""


class Row(NamedTuple):
    """A line of the table."""

    metric: str
    crystals: str
    ours: str
    theirs: str
    agreement: str


def smact_labels(tables: dict[str, Crystals], n: int) -> Iterator[Row]:
    """Neutrality and electronegativity against ``smact_validity``, with our oxidation states and with smact's own."""
    from smact.screening import smact_validity

    with tempfile.TemporaryDirectory() as folder:
        states = Path(folder) / "states.txt"
        lines = (" ".join(map(str, (SYMBOLS[z], *OXIDATION_STATES[z]))) for z in range(1, 104))
        states.write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name, table in tables.items():
            chosen = table[np.random.default_rng(0).permutation(len(table))[:n]]
            counts = chosen.counts.numpy()
            ordered = "neutral, and cations less electronegative"
            electronegative = ordered_by_electronegativity(counts, chosen.elements)
            judged = (
                ("neutral; smact with our states", False, neutral(chosen, "per_element"), str(states)),
                (f"{ordered}; smact with our states", True, electronegative, str(states)),
                (f"{ordered}; smact with `smact14`", True, electronegative, "smact14"),
            )
            for rule, pauling, ours, given in judged:
                options = {"use_pauling_test": pauling, "include_alloys": False, "oxidation_states_set": given}
                theirs = np.array([smact_validity(formula, **options) for formula in chosen.formulas])
                yield Row(rule, f"{name}, {len(chosen):,}", *_labels(ours, theirs))


def _labels(ours: Any, theirs: Any) -> tuple[str, str, str]:
    same = int((ours == theirs).sum())
    return f"{ours.mean():.1%}", f"{theirs.mean():.1%}", f"{same:,} of {len(ours):,} the same"


def matcher_groups(structures: Sequence[Any], name: str) -> Iterator[Row]:
    """Groups of the same crystal against ``StructureMatcher.group_structures``."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    ours = duplicate_groups(structures)
    place = {id(structure): index for index, structure in enumerate(structures)}
    theirs = [0] * len(structures)
    for group in StructureMatcher().group_structures(list(structures)):
        members = [place[id(structure)] for structure in group]
        for member in members:
            theirs[member] = min(members)
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    cells = (str(len(set(ours))), str(len(set(theirs))), f"{same} of {len(ours)} in the same group")
    yield Row("groups of the same crystal", f"{name}, {len(structures)}", *cells)


def mattergen_metrics(
    structures: Sequence[Any], energies: Sequence[float], known: Path, hull: Path, name: str
) -> Iterator[Row]:
    """Unique, novel and stable against MatterGen's evaluator, with the same known structures and phases.

    Args:
        structures, energies: relaxed pymatgen structures with their formation energies in eV/atom.
        known, hull: tables of known structures and of phases.
        name: name of the structures in the table.
    """
    from mattergen.evaluation.metrics.energy import EnergyMetricsCapability
    from mattergen.evaluation.metrics.structure import StructureMetricsCapability
    from mattergen.evaluation.reference.reference_dataset import ReferenceDataset
    from mattergen.evaluation.utils.metrics_structure_summary import MetricsStructureSummary
    from mattergen.evaluation.utils.structure_matcher import DisorderedStructureMatcher, OrderedStructureMatcher
    from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

    symbols = sorted({str(element) for structure in structures for element in structure.composition})
    summaries = [
        MetricsStructureSummary(ComputedStructureEntry(s, e * len(s)))
        for s, e in zip(structures, energies, strict=True)
    ]
    reference, phases = Reference(known), load_hull(hull)
    unique = np.array([group == row for row, group in enumerate(duplicate_groups(structures))])
    novel = np.array([reference.match(structure) is None for structure in structures])
    above = np.array(
        [
            phases.energy_above_hull(s.composition.get_el_amt_dict(), e).value
            for s, e in zip(structures, energies, strict=True)
        ]
    )
    entries = [ComputedStructureEntry(s, 0.0, data={"material_id": i}) for i, s in _known_structures(known, symbols)]
    hull_entries = [ComputedEntry(counts, e * sum(counts.values())) for counts, e in _phases(hull, symbols)]
    energy = EnergyMetricsCapability(summaries, ReferenceDataset.from_entries("phases", hull_entries))
    theirs = energy.energy_above_hull
    largest = f"largest difference {np.abs(above - theirs).max():.1e} eV/atom"
    where = f"{name}, {len(structures)}"
    medians = (f"{np.median(above):.4f}", f"{np.median(theirs):.4f}")
    yield Row("median energy above hull (eV/atom)", where, *medians, largest)
    yield Row(f"stable, at most {STABLE} eV/atom above hull", where, *_counted(above <= STABLE, theirs <= STABLE))
    known_entries = ReferenceDataset.from_entries("known", entries)
    stable = unique & novel & (above <= STABLE)
    for kind, matcher in (("ordered", OrderedStructureMatcher()), ("default", DisorderedStructureMatcher())):
        judge = StructureMetricsCapability(summaries, known_entries, matcher)
        sun = judge.is_unique & judge.is_novel & (theirs <= STABLE)
        pairs = ((unique, judge.is_unique), (novel, judge.is_novel), (stable, sun))
        three = [_counted(*pair) for pair in pairs]
        same = np.all([ours == other for ours, other in pairs], axis=0)
        agreement = f"{same.sum()} of {len(same)} the same in all three"
        numbers = (" / ".join(found[side] for found in three) for side in (0, 1))
        yield Row(f"unique / novel / S.U.N., its {kind} matcher", where, *numbers, agreement)


def _counted(ours: Any, theirs: Any) -> tuple[str, str, str]:
    return str(int(ours.sum())), str(int(theirs.sum())), f"{int((ours == theirs).sum())} of {len(ours)} the same"


def _known_structures(path: Path, symbols: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield names and structures of the crystals in a table that have only these elements."""
    from pymatgen.core import Structure

    numbers = {SYMBOLS.index(symbol) for symbol in symbols}
    for row in pd.read_parquet(path).itertuples():
        if numbers.issuperset(row.numbers):
            cell, positions = np.reshape(row.cell, (3, 3)), np.reshape(row.fractional, (-1, 3))
            yield str(row.material_id), Structure(cell, [SYMBOLS[z] for z in row.numbers], positions)


def _phases(path: Path, symbols: Sequence[str]) -> Iterator[tuple[dict[str, float], float]]:
    """Yield counts and formation energies (eV/atom): the phases, the hull below them, and the elements at 0."""
    yield from (({symbol: 1.0}, 0.0) for symbol in symbols)
    for row in pd.read_parquet(path).itertuples():
        counts = json.loads(row.elements)
        if set(counts) <= set(symbols):
            yield counts, row.formation_energy_per_atom
            if np.isfinite(row.e_above_hull):
                yield counts, row.formation_energy_per_atom - row.e_above_hull


def mixture(
    structures: Sequence[Any], energies: Sequence[float], known: Path, hull: Path, n: int = 80
) -> tuple[list[Any], list[float]]:
    """Return candidates, n copies of candidates and n known crystals, with atoms displaced until some match no more.

    Copies lie at their energies plus 0 to 0.1 eV/atom, known crystals at most 0.2 eV/atom above the hull.
    """
    rng, phases = np.random.default_rng(0), load_hull(hull)
    symbols = sorted({str(element) for structure in structures for element in structure.composition})
    mixed, values = list(structures), list(energies)
    for index in rng.permutation(len(structures))[:n].tolist():
        mixed.append(_displaced(structures[index], rng))
        values.append(energies[index] + rng.uniform(0, 0.1))
    originals = [structure for _, structure in _known_structures(known, symbols)]
    for index in rng.permutation(len(originals))[:n].tolist():
        mixed.append(_displaced(originals[index], rng))
        below = phases.energy_above_hull(mixed[-1].composition.get_el_amt_dict(), 0.0).value
        values.append(-below + rng.uniform(0, 0.2))
    order = rng.permutation(len(mixed)).tolist()
    return [mixed[i] for i in order], [values[i] for i in order]


def _displaced(structure: Any, rng: np.random.Generator) -> Any:
    """Return a copy with normal displacements of a standard deviation of 0 to 0.5 A, half of them in a doubled cell."""
    copy = structure.copy()
    if rng.random() < 0.5 and len(copy) <= 20:
        copy.make_supercell((1, 1, 2))
    moved = copy.cart_coords + rng.normal(0, rng.uniform(0, 0.5), (len(copy), 3))
    return type(copy)(copy.lattice, copy.species, moved, coords_are_cartesian=True)


def relaxed(path: Path) -> tuple[list[Any], list[float]]:
    """Return structures and formation energies (eV/atom) of the frames that ``crystalgfn structures`` wrote.

    Raises:
        DataError: a frame without a formation energy.
    """
    from ase.io import read
    from pymatgen.io.ase import AseAtomsAdaptor

    structures, energies = [], []
    for frame in read(path, ":"):
        names = [n for n in frame.info if n.startswith("formation_energy_") and n.endswith("_per_atom")]
        if not names:
            raise DataError(f"{path}: a frame without formation energy, allowed: all.extxyz of crystalgfn structures")
        structures.append(AseAtomsAdaptor.get_structure(frame))
        energies.append(float(frame.info[names[0]]))
    return structures, energies


def table_of(rows: Sequence[Row]) -> str:
    """Return the rows as markdown, and the versions of the tools."""
    lines = ["| metric | of | ours | the other tool | agreement |", "| --- | --- | ---: | ---: | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    tools = []
    for package in ("smact", "pymatgen", "mattergen", "torchgfn"):
        try:
            tools.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            tools.append(f"{package} not installed")
    return "\n".join(lines).replace("-0.", "−0.") + f"\n\nVersions: {', '.join(tools)}."


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script; 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=Path, action="append", default=[], metavar="TABLE")
    parser.add_argument("--real", type=Path, metavar="TABLE")
    parser.add_argument("--relaxed", type=Path, metavar="EXTXYZ", help="all.extxyz of crystalgfn structures")
    parser.add_argument("--known", type=Path, metavar="TABLE", help="known structures")
    parser.add_argument("--hull", type=Path, metavar="TABLE", help="phases")
    parser.add_argument("-n", type=int, default=2_000, help="crystals of each table that smact judges")
    parser.add_argument("--page", type=Path, metavar="MD", help="page whose part 'cross-check' is replaced")
    options = parser.parse_args(arguments)
    parts: list[Callable[[], Iterator[Row]]] = []
    tables = {path.stem: Crystals.from_file(path) for path in options.samples}
    if options.real:
        tables["real crystals"] = Crystals.from_file(options.real)
    if tables:
        parts.append(lambda: smact_labels(tables, options.n))
    if options.relaxed:
        structures, energies = relaxed(options.relaxed)
        parts.append(lambda: matcher_groups(structures, "relaxed"))
        if options.known and options.hull:
            tables_of = (options.known, options.hull)
            mixed = mixture(structures, energies, *tables_of)
            parts.append(lambda: matcher_groups(mixed[0], "mixture"))
            parts.append(lambda: mattergen_metrics(structures, energies, *tables_of, "relaxed"))
            parts.append(lambda: mattergen_metrics(*mixed, *tables_of, "mixture"))
    parts.append(_hypergrid)
    rows: list[Row] = []
    for part in parts:
        try:
            rows += part()
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
    text = table_of(rows)
    if options.page:
        page = fill(options.page.read_text(encoding="utf-8"), "cross-check", text)
        options.page.write_text(page, encoding="utf-8")
    else:
        print(text)


def _hypergrid() -> Iterator[Row]:
    from hypergrid import compare  # a neighbour of this script; needs torchgfn

    return (Row(*row) for row in compare())


if __name__ == "__main__":
    sys.exit(main())
