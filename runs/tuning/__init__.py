"""The search for the options with which a model does best on the validation set."""

from runs.tuning.options import TuneOptions

__all__ = ["TuneOptions"]
