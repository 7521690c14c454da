"""Rounds of sampling, relaxing and learning in a space that a user asks for; ``rounds`` is the loop."""
