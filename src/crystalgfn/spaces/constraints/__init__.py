"""Constraints on crystals: one file for each, or for a few similar ones; :mod:`.registry` lists all in order."""
