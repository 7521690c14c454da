"""Candidates: what becomes of crystals that are placed and relaxed."""
