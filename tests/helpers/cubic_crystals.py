"""Cubic crystals of space group 225 with sites: rock salt from two origins, and fluorite."""

import numpy as np
import torch

from crystalgfn.crystals.crystal import Crystals

ROCK_SALT = '[["{0}", "a", 4], ["{1}", "b", 4]]'
SHIFTED = '[["{0}", "b", 4], ["{1}", "a", 4]]'  # the same crystal from another origin
FLUORITE = '[["{0}", "a", 4], ["{1}", "c", 8]]'


def cubic(*rows: tuple[str, str, str]) -> Crystals:
    """Crystals of space group 225 from (metal, anion, sites)."""
    elements = (3, 8, 9, 11, 17)
    symbols = dict(zip(("Li", "O", "F", "Na", "Cl"), elements, strict=True))
    counts = torch.zeros(len(rows), len(elements), dtype=torch.int64)
    for row, (metal, anion, sites) in enumerate(rows):
        counts[row, elements.index(symbols[metal])] = 4
        counts[row, elements.index(symbols[anion])] = 8 if sites == FLUORITE else 4
    texts = [sites.format(metal, anion) for metal, anion, sites in rows]
    lattice = torch.tensor([[4.2, 4.2, 4.2, 90.0, 90.0, 90.0]]).expand(len(rows), 6)
    return Crystals(elements, torch.full((len(rows),), 225), counts, lattice, {"wyckoff": np.array(texts, object)})


ROWS = (("Na", "Cl", ROCK_SALT), ("Na", "Cl", SHIFTED), ("Li", "O", ROCK_SALT), ("Li", "F", FLUORITE))
