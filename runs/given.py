"""The options of the section "run" that the user gave, to load a trained run with."""

from __future__ import annotations

from options import Resolved
from options.values import RawOption
from runs.run_options import RunOptions


def run_options_given(resolved: Resolved) -> list[RawOption]:
    """The options of the run as a whole (device, num_threads, ...) that were given, without `mode`."""
    values = resolved.section("run", RunOptions).model_dump(mode="json")
    return [
        RawOption(key, value, resolved.origins[key])
        for key, value in values.items()
        if key != "mode" and not resolved.origins[key].is_default
    ]
