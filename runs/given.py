"""The options with which a command loads a trained run, and whether a run is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.files import expanded
from common.schema import Options, options_with_role
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


def no_run_given(sections: Mapping[str, Options]) -> str | None:
    """Why a command that needs a trained run has none; None if one is given."""
    run = sections["run"]
    if not isinstance(run, RunOptions):
        return None
    if run.pretrained_weights is None:
        return f"command {run.mode} needs a trained run: give its folder with --pretrained_weights"
    if not expanded(Path(run.pretrained_weights)).exists():
        return f"there is no run at {run.pretrained_weights} (pretrained_weights): give the folder of a trained run"
    return None
