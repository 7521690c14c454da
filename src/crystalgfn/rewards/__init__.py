"""Rewards: what is wanted of the properties of crystals, as a sum of terms over values that are worked out once."""
