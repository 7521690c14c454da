"""Structures as pictures that can be turned: what is drawn, and the parts of a page that draw it with 3Dmol.js."""
