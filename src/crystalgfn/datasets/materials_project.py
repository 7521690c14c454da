"""The Materials Project, through mp-api with the user's own key (https://next-gen.materialsproject.org/api).

Data are CC BY 4.0: cite Jain et al., APL Materials 1, 011002 (2013). Structures of GNoME are left out by default,
since their licence forbids commercial use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from crystalgfn.datasets.schema import Entry
from crystalgfn.errors import DataError
from crystalgfn.stability.materials_project import open_client, value_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

FIELDS = ["material_id", "structure", "formation_energy_per_atom", "energy_above_hull", "band_gap"]

BATCH = 200
"""Materials in one request, whose names have to fit into a URL."""


class MaterialsProject:
    """Entries that a search finds: first their names, then their structures and labels in batches.

    Args:
        api_key: the user's key.
        chemsys: chemical systems such as ``"Li-Fe-P-O"``; all by default.
        max_e_above_hull: highest energy above the hull, eV/atom.
        include_gnome: take GNoME's structures (CC BY-NC 4.0) as well.
        limit: number of crystals to read, in the order of their names.
        client: an open ``mp_api.client.MPRester``; by default one is opened with the key.

    Raises:
        DataError: mp-api is not installed, no key, a refused key, no connection, or no entry found.
    """

    extra_labels: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        api_key: str | None = None,
        chemsys: Sequence[str] = (),
        max_e_above_hull: float | None = None,
        include_gnome: bool = False,
        limit: int | None = None,
        client: Any = None,
    ) -> None:
        self._client = client if client is not None else open_client(api_key)
        filters: dict[str, Any] = {"deprecated": False, "include_gnome": include_gnome}
        if chemsys:
            filters["chemsys"] = list(chemsys)
        if max_e_above_hull is not None:
            filters["energy_above_hull"] = (0.0, max_e_above_hull)
        documents = self._search(fields=["material_id"], **filters)
        self._ids = sorted({str(value_of(document, "material_id")) for document in documents}, key=_by_number)[:limit]
        if not self._ids:
            raise DataError(f"the Materials Project has no entry for {filters}")

    def __len__(self) -> int:
        return len(self._ids)

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the materials from position ``start`` on, with labels in eV/atom and eV."""
        for first in range(start, len(self), BATCH):
            names = self._ids[first : first + BATCH]
            answers = self._search(material_ids=names, fields=FIELDS)
            documents = {str(value_of(document, "material_id")): document for document in answers}
            for name in names:
                document = documents.get(name)
                yield Entry(
                    material_id=name,
                    source="materials_project",
                    load=partial(_structure, document),
                    labels={
                        "formation_energy_per_atom": value_of(document, "formation_energy_per_atom"),
                        "e_above_hull": value_of(document, "energy_above_hull"),
                        "band_gap": value_of(document, "band_gap"),
                    },
                )

    def identity(self) -> dict[str, Any]:
        """Return a hash of the names of the materials."""
        return {"source": "materials_project", "ids_sha256": hashlib.sha256("\n".join(self._ids).encode()).hexdigest()}

    def _search(self, **query: Any) -> list[Any]:
        try:
            return list(self._client.materials.summary.search(all_fields=False, **query))
        except Exception as error:  # mp-api, requests and pydantic each have their own
            reason = " ".join(str(error).split())[:300]
            raise DataError(f"the Materials Project did not answer ({type(error).__name__}: {reason})") from error


def _structure(document: Any) -> Structure:
    from pymatgen.core import Structure

    structure = value_of(document, "structure")
    if structure is None:
        raise DataError("no structure in the answer")
    return Structure.from_dict(structure) if isinstance(structure, dict) else structure


def _by_number(name: str) -> tuple[int, str]:
    digits = name.rsplit("-", 1)[-1]
    return (int(digits) if digits.isdigit() else 0, name)
