"""Runs: from a configuration to objects, training into a folder, trained models, and the loop."""
