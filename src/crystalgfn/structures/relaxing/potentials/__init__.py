"""Interatomic potentials: one file each, and a registry of their names."""
