"""Runs: objects from configurations, training into folders, trained models, and the loop."""
