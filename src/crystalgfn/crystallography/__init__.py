"""Crystallographic facts as immutable tables: elements, space groups, Wyckoff positions, charges; and lattice geometry.

The tables in ``data/`` are made by ``scripts/data/build_tables.py`` from moyopy, pyxtal and pymatgen; none of these is
imported here. Only :mod:`crystalgfn.crystallography.lattices` imports torch.
"""
