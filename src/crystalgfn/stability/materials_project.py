"""The hull of the Materials Project, through mp-api with the user's own key: each system is fetched when it is needed.

Data are CC BY 4.0: cite Jain et al., APL Materials 1, 011002 (2013). GNoME's structures are left out: their licence
forbids commercial use.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import DataError
from crystalgfn.stability.hull import Hull, System

FIELDS = ["composition", "formation_energy_per_atom", "energy_above_hull"]


class MaterialsProjectHull(Hull):
    """A hull whose chemical systems come from the Materials Project, each fetched once.

    Args:
        api_key: the user's key; see :func:`open_client`.
        client: an open ``mp_api.client.MPRester``; by default one is opened with the key.

    Raises:
        DataError: no key, mp-api is not installed, or the key is refused.
    """

    def __init__(self, *, api_key: str | None = None, client: Any = None) -> None:
        super().__init__((), name="mp")
        self._client = client if client is not None else open_client(api_key)
        self._fetched: set[System] = set()

    def missing(self, symbols: Iterable[str]) -> list[str]:
        """No elements: systems are fetched when they are needed."""
        return []

    def _prepare(self, system: System) -> str:
        systems = {frozenset(part) for n in range(1, len(system) + 1) for part in combinations(sorted(system), n)}
        systems -= self._fetched
        if not systems:
            return ""
        names = sorted("-".join(sorted(SYMBOLS[z] for z in part)) for part in systems)
        try:
            documents = list(
                self._client.materials.summary.search(
                    all_fields=False, chemsys=names, deprecated=False, include_gnome=False, fields=FIELDS
                )
            )
        except Exception as error:  # mp-api, requests and pydantic each have their own
            reason = " ".join(str(error).split())[:200]
            return f"the Materials Project did not answer ({type(error).__name__}: {reason})"
        for document in documents:
            composition, energy, above = (value_of(document, name) for name in FIELDS)
            if composition is not None and energy is not None:
                counts = {str(symbol): float(n) for symbol, n in dict(composition).items()}
                for each in {float(energy), float(energy) - max(float(above or 0), 0.0)}:  # as for a table
                    self._add(counts, each)
        self._fetched |= systems
        self._columns.cache_clear()
        return ""


def open_client(api_key: str | None) -> Any:
    """Return mp-api's client.

    Args:
        api_key: the user's key; by default ``MP_API_KEY`` of the environment, else ``PMG_MAPI_KEY`` of pymatgen's
            configuration file.

    Raises:
        DataError: no key, mp-api is not installed, or the Materials Project refuses.
    """
    from pymatgen.core import SETTINGS

    api_key = api_key or os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY")
    if not api_key:
        raise DataError(
            "no key for the Materials Project: set MP_API_KEY in the environment, or PMG_MAPI_KEY in pymatgen's "
            "configuration file (pmg config --add PMG_MAPI_KEY KEY); you get one at materialsproject.org/api"
        )
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise DataError("mp-api is not installed: pip install 'crystalgfn[data]'") from None
    try:
        return MPRester(api_key, use_document_model=False, mute_progress_bars=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300].replace(api_key, "...")
        raise DataError(f"the Materials Project refused ({type(error).__name__}: {reason})") from error


def value_of(document: Any, name: str) -> Any:
    """Return a field of a document, which is a dictionary or a model, or None."""
    return document.get(name) if isinstance(document, dict) else getattr(document, name, None)
