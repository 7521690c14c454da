"""Rewards: goals for the properties of crystals, as a sum of terms over values that are computed once."""
