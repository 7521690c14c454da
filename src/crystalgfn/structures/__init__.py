"""Atoms, relaxation, stability: from (space group, composition, lattice) to structures that can be trusted.

Read in this order: ``assignments`` (Wyckoff positions), ``placing`` (coordinates), ``relax`` and ``gates``, then
``search``, which finds the best structure of a crystal, ``candidates``, which says what became of it, and ``batch`` for
a table of them.
"""
