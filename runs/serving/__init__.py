"""A trained model outside of this harness: its graph, and the scripts that serve it."""
