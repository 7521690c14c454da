"""Candidates: crystals after placing and relaxation, with their stability, or the reason why there is none."""
