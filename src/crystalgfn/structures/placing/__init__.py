"""Placing atoms on the Wyckoff positions of a space group."""
