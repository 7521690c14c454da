"""Terms of the log-reward: one file per kind, and the registry of kinds."""
