"""Thermodynamic stability: the convex hull of formation energies and how far a composition lies above it.

``hull`` answers for one composition at a time, with its decomposition; ``facets`` for batches of samples.
"""
