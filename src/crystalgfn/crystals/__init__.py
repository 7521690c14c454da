"""Crystals as values, the tables they are written to, and what a property of them is."""
