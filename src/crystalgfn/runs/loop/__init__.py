"""Rounds of proposing, relaxing and learning: ``rounds`` is the loop, ``learned`` reads the lesson of a round."""
