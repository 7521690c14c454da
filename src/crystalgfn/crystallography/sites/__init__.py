"""Wyckoff sites: which atoms may stand on which positions, in how many ways, and how often they do."""
