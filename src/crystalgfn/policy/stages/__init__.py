"""One stage a subspace: its heads, its forward and backward steps, and their log-probabilities."""
