"""The options with which a command loads a trained run."""

from __future__ import annotations

from common.schema import options_with_role
from options import Resolved
from options.values import RawOption
from runs.run_options import RunOptions


def run_options_given(resolved: Resolved) -> list[RawOption]:
    """The given options that say how to compute (device, num_threads, ...). All others are the run's own."""
    values = resolved.section("run", RunOptions).model_dump(mode="json")
    keys = options_with_role("execution") | {"precision"}
    return [
        RawOption(key, value, resolved.origins[key])
        for key, value in values.items()
        if key in keys and not resolved.origins[key].is_default
    ]
