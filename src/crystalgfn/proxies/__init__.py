"""Trained property models: networks, data, training, model cards, and the distance from the training data."""
