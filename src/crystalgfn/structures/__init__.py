"""Candidate crystal structures: atoms placed on Wyckoff positions, from prototypes or at random."""
