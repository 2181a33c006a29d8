"""Exported models: the graph of a trained model, and the scripts that serve it without this repository."""
