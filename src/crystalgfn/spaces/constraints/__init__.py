"""Constraints on crystals: one file a constraint, or a few that are alike; :mod:`.registry` holds them in order."""
