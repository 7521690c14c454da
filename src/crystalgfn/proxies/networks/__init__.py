"""Networks that predict properties from space group, composition and lattice."""
