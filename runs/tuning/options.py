"""The options of command tune."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from common.schema import SEARCH_BUDGET
from runs.launchers.options import LaunchOptions


class TuneOptions(LaunchOptions):
    """What to search, for how long, and where to keep the study."""

    search: dict[str, Any] = Field(
        min_length=1,
        description="the search space: option -> {choice: [a, b]} or {int: [low, high]}; also log_int, uniform and "
        "log_uniform (int and uniform may have a step)",
    )
    num_trials: int = Field(
        20, ge=1, description="number of trials, pruned ones included", json_schema_extra=SEARCH_BUDGET
    )
    tune_minutes: float | None = Field(
        None,
        gt=0,
        description="start no new trial once total training time reaches this many minutes; null = no limit",
        json_schema_extra=SEARCH_BUDGET,
    )
    pruner: Literal["median", "hyperband", "none"] = Field(
        "median", description="how to choose trials to stop early, from their validation curves"
    )
    pruner_warmup_epochs: int = Field(5, ge=1, description="epochs before a trial may be pruned")
    startup_trials: int = Field(
        5,
        ge=0,
        description="trials drawn at random before the sampler learns from earlier ones; "
        "pruner median waits for as many finished trials",
    )
    tune_seed: int | None = Field(
        None, ge=0, lt=2**63, description="seed of the search and of its trials; null = the run's seed"
    )
    storage: str | None = Field(
        None,
        min_length=1,
        description="where optuna keeps the study, as a URL; null = study.db in the search's folder",
        json_schema_extra=SEARCH_BUDGET,
    )
    write_template: str | None = Field(
        None,
        pattern=r"^[\w.+-]+$",
        description="also write the best options as a template of this name",
        json_schema_extra=SEARCH_BUDGET,
    )
