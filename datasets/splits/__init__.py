"""Evaluation protocols: one module per split, registered in `datasets.SPLITS`."""
