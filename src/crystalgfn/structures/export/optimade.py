"""OPTIMADE JSON Lines (Evans et al., Digital Discovery 3, 1509 (2024)): a file to feed a server from.

The first line is the header, the second describes the properties, and each further line is a structure. What OPTIMADE
has no name for has the prefix ``_crystalgfn_``; energies are in eV per atom.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.files.atomic import write_atomically
from crystalgfn.structures.export.formats import Exported, Written

if TYPE_CHECKING:
    from pymatgen.core import Structure

VERSION = "1.2.0"
"""Version of the OPTIMADE specification."""

PREFIX = "_crystalgfn_"

HEADER = {"x-optimade": {"meta": {"api_version": VERSION}}}

_TYPES = {bool: "boolean", int: "integer", float: "float", str: "string"}

_OWN = {
    "immutable_id": ("string", "The entry's identifier, which does not change."),
    "last_modified": ("timestamp", "When the file was written."),
    "elements": ("list", "Chemical symbols, in alphabetical order."),
    "nelements": ("integer", "Number of elements."),
    "elements_ratios": ("list", "Share of atoms of each element."),
    "chemical_formula_descriptive": ("string", "Formula of the cell."),
    "chemical_formula_reduced": ("string", "Reduced formula."),
    "chemical_formula_anonymous": ("string", "Reduced formula without elements."),
    "dimension_types": ("list", "Which of the lattice vectors are periodic."),
    "nperiodic_dimensions": ("integer", "Number of periodic directions."),
    "lattice_vectors": ("list", "Lattice vectors in angstrom."),
    "cartesian_site_positions": ("list", "Positions of the atoms in angstrom."),
    "nsites": ("integer", "Number of atoms in the cell."),
    "species": ("list", "The elements, as species."),
    "species_at_sites": ("list", "The species of each atom."),
    "structure_features": ("list", "Empty: ordered crystals without unknown positions."),
}
"""Properties of OPTIMADE that the structures have, with type and description."""


def write_jsonl(path: Path, items: Iterable[Exported]) -> Written:
    """Write structures as OPTIMADE JSON Lines, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [resource(item.structure, item.info, modified=written) for item in items]
    with write_atomically(path) as stream:
        for line in (HEADER, _description(lines), *lines):
            stream.write(json.dumps(line).encode() + b"\n")
    return Written(len(lines))


def resource(structure: Structure, info: Mapping[str, Any], *, modified: str) -> dict[str, Any]:
    """Return a structure as an OPTIMADE resource.

    Args:
        structure: ordered structure of N atoms.
        info: numbers and words about it; ``row`` becomes the identifier.
        modified: time, as OPTIMADE writes it.
    """
    from pymatgen.io.optimade import OptimadeStructureAdapter

    attributes: Any = OptimadeStructureAdapter.get_optimade_structure(structure)["attributes"]
    species = sorted(attributes["species"], key=lambda one: str(one["name"]))  # pymatgen's order is that of a set
    own = {PREFIX + re.sub(r"\W", "_", name).lower(): value for name, value in info.items()}
    identifier = str(info["row"])
    attributes = {**attributes, "species": species, "immutable_id": identifier, "last_modified": modified, **own}
    return {"type": "structures", "id": identifier, "attributes": attributes}


def _description(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The line that describes the properties of structures."""
    properties = {name: {"type": kind, "description": text} for name, (kind, text) in _OWN.items()}
    for line in lines:
        for name, value in line["attributes"].items():
            if name not in properties:
                unit = {"unit": "eV"} if name.endswith("_per_atom") else {}
                text = name.removeprefix(PREFIX).replace("_", " ") + " of the candidate"
                properties[name] = {"type": _TYPES[type(value)], "description": text, **unit}
    return {
        "type": "info",
        "id": "structures",
        "description": "Candidates that crystalgfn relaxed.",
        "formats": ["json"],
        "properties": properties,
        "output_fields_by_format": {"json": list(properties)},
    }
