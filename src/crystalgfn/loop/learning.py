"""The model of a round: it has learned the energies above the hull that relaxing found in the rounds before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crystalgfn.files.trust import opened
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.proxies.data.orbit_rows import read_relaxed, shipped_relaxed
from crystalgfn.proxies.models import CARD, ProxyProperty, save_model
from crystalgfn.proxies.refine import Lesson, learn

MODEL = EnergyAboveHull.name
"""Folder of the model in the folder of a round."""


def learn_round(labels: Path, where: Path, *, base: str, new: int, trust: bool = False) -> Lesson:
    """Write the model of a round, or read it where it exists.

    Args:
        labels: labels of all rounds before, the newest last.
        where: folder of the round.
        base: name or folder of the model to begin with, the same in all rounds.
        new: number of labels of the newest round.
        trust: whether its files may be links that lead out of the loop's folder.

    Raises:
        PropertyError: the model to begin with is not one of the energy above the hull.
    """
    folder = where / MODEL
    if not (folder / CARD).is_file():
        table = read_relaxed(labels)
        newest = np.arange(len(table.target)) >= len(table.target) - new
        lesson = learn(ProxyProperty.load(base), table, rehearsed=shipped_relaxed(), new=newest)
        text = f"# {lesson.model.name}, refined\n\nCorrection of the model {base!r}, fitted again: {lesson}.\n"
        save_model(folder, lesson.model.network, lesson.model.card, text, half=False)
    with opened(where, trust=trust):
        model = ProxyProperty.load(folder)
    return Lesson(model, model.card["refined"]["before"], model.card["refined"]["after"])
