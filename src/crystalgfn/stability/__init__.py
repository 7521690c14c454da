"""Thermodynamic stability: the convex hull of formation energies and how far a composition lies above it.

``hull`` answers for one composition at a time, with its decomposition; ``facets`` for batches of samples; ``load`` is
the registry of hulls that have a name, and reads tables of phases.
"""
