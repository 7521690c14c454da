"""CIF files: what they declare is compared with what is read, and a file that contradicts itself is refused.

``blocks`` splits the text, ``sites`` reads the atoms, ``group`` the symmetry operations, ``orbits`` applies them,
``declared`` compares the result with formula, Z, density and volume, and ``read`` returns pymatgen structures.
"""
