"""Structures as files."""
