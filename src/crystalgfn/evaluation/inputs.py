"""Inputs of the commands evaluate, report and compare: tables, folders of structures, and references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crystalgfn import __version__
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables import unit_of
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.errors import DataError
from crystalgfn.evaluation.candidates import Candidates, cif_files, is_structures, read_candidates
from crystalgfn.evaluation.crystals import PROXY, Numbers, check_given_energies, energy_method, evaluate_crystals
from crystalgfn.evaluation.known import KnownStructures
from crystalgfn.evaluation.structures import compared, evaluate_structures
from crystalgfn.evaluation.sun import with_hull
from crystalgfn.files.reading import sha256
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import BUILTIN, load_hull
from crystalgfn.structures.candidates.schema import INPUT, Quantity


@dataclass(frozen=True)
class Data:
    """Crystals to evaluate.

    Attributes:
        name: name of the crystals in figures and tables.
        crystals: B crystals; of structures, those that could be read.
        candidates: the structures with their atoms, if there are any.
        rows: row of each crystal among the candidates.
        provenance: origin of the crystals, in plain values.
        methods: origin of the numbers of each column of energies.
        constraints: constraints that the crystals were sampled under, as ``config.constraints.model_dump()`` gives
            them; None if unknown.
    """

    name: str
    crystals: Crystals
    candidates: Candidates | None = None
    rows: tuple[int, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    constraints: dict[str, Any] | None = None

    @property
    def doubts(self) -> list[str]:
        """(B,) why each crystal is doubtful; empty where it is not."""
        if self.candidates is None:
            return [""] * len(self.crystals)
        flags = {row.row: row.flags or "" for row in self.candidates.rows}
        return [flags[row] for row in self.rows]


@dataclass(frozen=True)
class References:
    """Known crystals to compare with.

    Attributes:
        name: name of all references together.
        crystals: crystals for distributions and formulas, or None.
        known: structures for novelty, or None.
        hull: hull to measure stability from, in place of the one that candidates were measured from, or None.
        broken: reason why a file could not be read, by its name.
    """

    name: str = ""
    crystals: Crystals | None = None
    known: KnownStructures | None = None
    hull: Hull | None = None
    broken: dict[str, str] = field(default_factory=dict)


def read_data(path: str | Path, *, name: str = "", trust: bool = False) -> Data:
    """Read a crystals table or a folder of structures.

    Args:
        path: ``.parquet`` or ``.csv`` file, a folder that ``crystalgfn structures`` wrote, or a folder of CIF files.
        name: name of the crystals; by default that of the file.
        trust: whether files in a folder may be links that lead out of it.

    Raises:
        DataError: the path is none of these, or unreadable.
        TrustError: the table of a folder that is not trusted is a link that leads out of it.
    """
    path = Path(path)
    if path.is_dir():
        if not is_structures(path):
            raise DataError(f"{path}: a folder without structures, allowed: a crystals table, or structures")
        candidates = read_candidates(path, trust=trust)
        crystals, rows = candidates.crystals()
        provenance = {"structures": path.name, "crystals handed in": len(candidates), **candidates.manifest}
        return Data(
            name or path.name, crystals, candidates, tuple(rows), provenance, energy_methods(crystals, candidates)
        )
    crystals = Crystals.from_file(path)
    check_given_energies(crystals, path.name)
    digest = sha256(path)
    provenance = {"table": path.name, "rows": len(crystals), "sha256": digest}
    return Data(name or path.stem, crystals, None, (), provenance, energy_methods(crystals))


def energy_methods(crystals: Crystals, candidates: Candidates | None = None) -> dict[str, str]:
    """Return the origin of each column of energies: a property model, a potential, or the table itself."""
    methods = {}
    columns = {} if candidates is None else {column.name: column for column in candidates.table.columns}
    for name in crystals.columns:
        if unit_of(name) != "eV/atom" and "energy" not in name and "hull" not in name:
            continue
        if candidates is None:
            methods[name] = energy_method(crystals, name)
        elif name.startswith(INPUT):
            methods[name] = PROXY
        elif name in columns:
            methods[name] = f"{columns[name].potential} (machine-learned potential), after relaxation; not DFT"
            if columns[name].quantity is Quantity.ABOVE_HULL:
                methods[name] += f"; hull: {columns[name].hull or 'none'}"
    return methods


def read_references(paths: Sequence[str | Path], *, hull: str | Path | None = None, trust: bool = False) -> References:
    """Read references: crystals tables, tables of structures (material_id, numbers, cell, fractional), CIF folders.

    Args:
        paths: the references, at most one table of crystals and one of structures.
        hull: ``"builtin"``, ``"mp"``, a table of phases, or None.
        trust: whether files of a folder may be links that lead out of it.

    Raises:
        DataError: a reference or the hull is unreadable, or there are two references of one kind.
    """
    crystals: Crystals | None = None
    known: KnownStructures | None = None
    for path in map(Path, paths):
        structures: KnownStructures | None
        table: Crystals | None
        if path.is_dir():
            folder = path / "cif" if not any(cif_files(path)) else path
            structures = KnownStructures(folder, trust=trust)
            table = read_candidates(path, trust=trust).crystals()[0]
        else:
            names = set(read_table(path).column_names)
            structures = KnownStructures(path) if {"numbers", "fractional"} <= names else None
            table = None if structures is not None else Crystals.from_file(path)
        if (structures is not None and known is not None) or (table is not None and crystals is not None):
            raise DataError(
                f"{path}: a second reference of its kind, allowed: one table of crystals, one of structures"
            )
        known, crystals = structures or known, crystals if table is None else table
    return References(
        name=" and ".join(Path(path).stem for path in paths),
        crystals=crystals,
        known=known,
        hull=None if hull is None else load_hull(hull),
        broken={} if known is None else known.broken,
    )


def with_references(data: Data, references: References) -> tuple[Data, References]:
    """Compare data with references, where there are atoms: with known structures, and with the hull.

    Returns:
        the data, with novelty and energies above the hull; and the references, with the hull that ships where the
        energies were measured from it and no other hull is given.

    Raises:
        DataError: a hull, but no structures or no formation energies to compare with it.
    """
    candidates = data.candidates
    if candidates is None:
        if references.hull is not None:
            raise DataError(f"{data.name}: crystals without atoms, allowed with a hull: a folder of structures")
        return data, references
    if references.known is not None:
        candidates = compared(candidates, references.known)
    if references.hull is None:
        shipped = candidates.table.hull == BUILTIN  # its phases are at hand for the corrections of S.U.N.
        return replace(data, candidates=candidates), replace(references, hull=load_hull(BUILTIN) if shipped else None)
    candidates = with_hull(candidates, references.hull)
    crystals, rows = candidates.crystals()
    judged = replace(
        data,
        candidates=candidates,
        crystals=crystals,
        rows=tuple(rows),
        provenance={**data.provenance, "evaluated with the hull": references.hull.name},
        methods=energy_methods(crystals, candidates),
    )
    return judged, references


def evaluate(data: Data, references: References | None = None, *, smact: bool = True) -> dict[str, Any]:
    """Measure crystals or structures.

    Args:
        data: result of :func:`read_data`.
        references: result of :func:`read_references`.
        smact: test charges with SMACT.

    Returns:
        JSON-able: ``crystalgfn`` (version), ``made`` (UTC), ``input``, ``reference``, ``broken`` (files, with reasons)
        and ``metrics``: groups of numbers, each with ``value``, ``method`` and ``n``.

    Raises:
        DataError: there is nothing to evaluate.
    """
    references = references or References()
    return summarised(*with_references(data, references), smact=smact)


def summarised(data: Data, references: References, *, smact: bool = True) -> dict[str, Any]:
    """Return what :func:`evaluate` returns, for what :func:`with_references` returned."""
    numbers: dict[str, Numbers]
    if data.candidates is None:
        numbers = evaluate_crystals(
            data.crystals, references.crystals, reference_name=references.name or "reference", smact=smact
        )
        broken: dict[str, str] = {}
    else:
        numbers = evaluate_structures(
            data.candidates,
            references.crystals,
            reference_name=references.name,
            known=references.known,
            hull=references.hull,
            smact=smact,
        )
        broken = data.candidates.broken
    return {
        "crystalgfn": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {"name": data.name, **data.provenance},
        "reference": references.name or None,
        "broken": {**broken, **references.broken},
        "metrics": {group: entries for group, entries in numbers.items() if entries},
    }
