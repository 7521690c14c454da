"""States of enumerated crystals with sites."""

from __future__ import annotations

import torch

from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.site_states import SiteStates, slot_counts
from direct_sites import Crystal


def states_of(space: CrystalSpace, crystals: list[Crystal]) -> SiteStates:
    """States of enumerated crystals, with a lattice in the middle of the cube."""
    orbits, m = space.of(SitePatternSpace).max_orbits, space.max_elements
    place = {z: d + 1 for d, z in enumerate(space.elements)}
    n = len(crystals)
    group = torch.tensor([g for g, *_ in crystals])
    slots, letters = torch.zeros(n, orbits, dtype=torch.int64), torch.full((n, orbits), -1)
    elements, filled = torch.zeros(n, m, dtype=torch.int64), torch.zeros(n, m, dtype=torch.int64)
    for row, (_, pattern, numbers) in enumerate(crystals):
        flat = [(slot, letter) for slot, each in enumerate(pattern) for letter in each]
        slots[row, : len(flat)], letters[row, : len(flat)] = torch.tensor(flat).T
        columns = sorted((place[z], slot) for slot, z in enumerate(numbers))
        elements[row, : len(columns)], filled[row, : len(columns)] = torch.tensor(columns).T
    counts = slot_counts(group, slots, letters, m).gather(1, filled) * (elements > 0)
    u = torch.where(space.lattice.free(group), 0.5, 0.0).double()
    return SiteStates(group, elements, counts, u, slots, letters, filled)
