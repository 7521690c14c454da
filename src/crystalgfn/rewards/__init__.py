"""Rewards: what is wanted of the properties of crystals, as a sum of terms."""
