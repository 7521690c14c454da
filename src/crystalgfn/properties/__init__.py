"""Properties of crystals: exact ones, trained models and the user's own, by name."""
