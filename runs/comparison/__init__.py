"""Comparisons: many runs under one protocol."""
