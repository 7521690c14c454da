"""Atoms, relaxation, stability: from (space group, composition, lattice) to structures that can be trusted.

Read in this order: ``assignments`` (Wyckoff positions), ``placing`` (coordinates), ``relax`` and ``gates``, ``hull``,
then ``candidates``, which puts them together for one crystal, and ``batch`` for a table of them.
"""
