"""Propose, relax, learn, and again: ``rounds`` is the loop, ``learned`` what a round teaches."""
