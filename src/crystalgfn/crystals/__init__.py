"""Crystals as values, tables of crystals, and the protocol of a property."""
