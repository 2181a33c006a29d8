"""The options of the section "run" that the user gave, with which a trained run is loaded."""

from __future__ import annotations

from options import Resolved
from options.values import RawOption
from runs.run_options import RunOptions


def run_options_given(resolved: Resolved) -> list[RawOption]:
    """The given options of the section "run" (device, num_threads, ...) except `mode`."""
    values = resolved.section("run", RunOptions).model_dump(mode="json")
    return [
        RawOption(key, value, resolved.origins[key])
        for key, value in values.items()
        if key != "mode" and not resolved.origins[key].is_default
    ]
