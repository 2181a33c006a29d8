"""Layers that more than one model uses, once each."""
