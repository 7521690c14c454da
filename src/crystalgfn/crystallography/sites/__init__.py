"""Wyckoff sites: which atoms can occupy which positions, in how many ways, and what real crystals prefer."""
