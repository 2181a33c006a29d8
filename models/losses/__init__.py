"""Losses: pure functions in logit space."""
