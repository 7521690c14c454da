"""Interatomic potentials and relaxation."""
