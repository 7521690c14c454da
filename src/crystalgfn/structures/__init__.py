"""From (space group, composition, lattice) to atoms: placing, relaxation, stability, novelty and files.

Imported on first use only: nothing of this package is needed to train or to sample.
"""
