"""Training and sampling: objectives, rollouts, replay, the training loop and its checkpoints."""
