"""Training objectives: one file each, and the registry of objectives.

With delta = sum log P_F - sum log P_B - log R of a trajectory, a perfect pair of policies has delta = -log Z for every
trajectory, whatever distribution the trajectories were drawn from.
"""
