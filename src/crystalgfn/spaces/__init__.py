"""The spaces that are sampled, with every constraint as an exact mask: no dead ends, nothing repaired afterwards."""
