"""What the figures of the documentation share: colours, style, and quantities of tables of crystals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.crystals.crystal import Crystals

# Okabe and Ito's colours, distinguishable with any colour vision
SAMPLES, REAL, UNTRAINED, INK, PALE = "#0072B2", "#D55E00", "#8C8C8C", "#222222", "#EEF3F7"

BANDWIDTH = 0.5
"""eV/atom, times N^(-1/5): width of the Gaussian that smooths N energies."""

STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "svg.fonttype": "none",
    "svg.hashsalt": "crystalgfn",
}


def density(values: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian kernel density (atom/eV) of energies ``(N,)`` at points ``(M,)``, both eV/atom."""
    width = BANDWIDTH * len(values) ** -0.2
    edges = np.linspace(values.min() - 1, values.max() + 1, 4000)
    weights, _ = np.histogram(values, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-0.5 * ((x[:, None] - centres) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    result: NDArray[np.float64] = kernel @ weights / len(values)
    return result


def prevalence(crystals: Crystals) -> dict[int, float]:
    """Share of crystals that hold each element, by atomic number."""
    shares = (crystals.counts > 0).double().mean(0).tolist()
    return dict(zip(crystals.elements, shares, strict=True))


def volume_and_estimate(crystals: Crystals) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return estimated and real volumes per atom, ``(B,)`` each, A^3/atom."""
    counts = crystals.counts.numpy()
    estimate = counts @ ATOMIC_VOLUME[list(crystals.elements)] / counts.sum(1)
    return estimate, crystals.volume_per_atom.numpy()
