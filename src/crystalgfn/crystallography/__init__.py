"""Immutable tables of elements, space groups, Wyckoff positions and charges; the geometry and symmetry of cells.

``scripts/data/build_tables.py`` makes the tables in ``data/`` from moyopy, pyxtal and pymatgen. To read them needs none
of these: only :mod:`crystalgfn.crystallography.symmetry` calls moyopy, to find the symmetry of atoms.
"""
