"""Constraints on crystals."""
