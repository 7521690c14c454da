"""A table of three crystals whose metrics can be worked out by hand, and structures."""

from pymatgen.core import Lattice, Structure

from crystalgfn.crystals.crystal import Crystals

MGO = ([4.2, 4.2, 4.2, 90.0, 90.0, 90.0], [4, 4], 225)

CSCL_TYPE = ([2.6, 2.6, 2.6, 90.0, 90.0, 90.0], [1, 1], 221)


def crystals(*kinds, **columns):
    lattice, counts, groups = zip(*kinds, strict=True)
    return Crystals((8, 12), list(groups), list(counts), list(lattice), columns)


def samples():
    return crystals(
        MGO,
        MGO,
        CSCL_TYPE,
        **{"formation_energy [eV/atom]": [-3.0, -3.0, -1.0]},
        log_reward=[3.0, 3.0, 1.0],
        log_pf=[-1.0, -1.0, -1.5],
        log_pb=[-0.5, -0.5, -0.5],
    )


def rocksalt(a=4.21, metal="Mg"):
    return Structure.from_spacegroup(225, Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
