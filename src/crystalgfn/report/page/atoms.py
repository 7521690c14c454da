"""Structures for the viewer of the page."""

from __future__ import annotations

from typing import Any

from crystalgfn.evaluation.inputs import Data
from crystalgfn.structures.viewing.scene import MOST_ATOMS, appearance, scene

MOST = 200
"""Most structures in the viewer, the best ones."""


def viewable(data: Data, order: list[int]) -> tuple[dict[int, Any], dict[str, Any]]:
    """Return the structures that the viewer draws.

    Args:
        data: data with structures.
        order: numbers of rows, best first.

    Returns:
        scenes (:func:`~crystalgfn.structures.viewing.scene.scene`) by row; and, by symbol, colour and radius (A).
    """
    if data.candidates is None:
        return {}, {}
    found = {row: data.candidates.structures.get(row) for row in order[:MOST]}
    scenes = {row: scene(one) for row, one in found.items() if one is not None and len(one) <= MOST_ATOMS}
    return scenes, dict(appearance(scenes.values()))
