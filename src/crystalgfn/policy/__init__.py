"""Forward and backward policies: one shared network, one stage of heads for each subspace."""
