"""Evaluation of samplers: targets with exact answers, estimates from samples, and checks independent of the masks."""
