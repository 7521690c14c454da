"""Terms of the log-reward: one file a kind, and the registry of kinds."""
