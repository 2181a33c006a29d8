"""The options of mode tune."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runs.launchers.options import LaunchOptions


class TuneOptions(LaunchOptions):
    """What to search, how long, and where it is kept."""

    search: dict[str, Any] = Field(
        min_length=1,
        description="option -> {choice: [a, b]}, or [low, high] under int, log_int, uniform or log_uniform "
        "(int and uniform may have a step)",
    )
    num_trials: int = Field(20, ge=1, description="trials, finished and pruned, in all")
    tune_minutes: float | None = Field(
        None, gt=0, description="no trial begins once all trials together have trained so long; null = no limit"
    )
    pruner: Literal["median", "hyperband", "none"] = Field(
        "median", description="which trials end early, by their validation curve"
    )
    pruner_warmup_epochs: int = Field(5, ge=1, description="epochs that no trial is pruned before")
    startup_trials: int = Field(
        5, ge=0, description="trials drawn at random before the others are learnt from; pruner median waits for as many"
    )
    tune_seed: int | None = Field(
        None, ge=0, lt=2**63, description="seed of the search and of its trials; null = the run's seed"
    )
    storage: str | None = Field(
        None, min_length=1, description="where optuna keeps the study, as a URL; null = study.db in the tuning's folder"
    )
    write_template: str | None = Field(
        None, pattern=r"^[\w.+-]+$", description="write the winner as a template of this name, too"
    )
