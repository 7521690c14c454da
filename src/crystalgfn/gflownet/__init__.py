"""Training of policies: targets, objectives, replay, the training loop, checkpoints and importance weights."""
