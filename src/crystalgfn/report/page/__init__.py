"""A page about crystals: one HTML file that opens from disk without a network."""
