"""The options of a comparison."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from common.schema import Options
from runs.launchers import LaunchOptions


class RunEntry(Options):
    """An entry of `runs`: a run on each dataset with each seed."""

    template: str | tuple[str, ...] = Field(description="template, or templates in order")
    label: str | None = Field(None, description="the run's name in tables; null = the template's, or the model's own")
    overrides: dict[str, Any] = Field(default_factory=dict, description="options that override the template's")
    search: dict[str, Any] | None = Field(
        None, description="with tune_trials: the search space, as in command tune; null = the template's, if any"
    )


class CompareOptions(LaunchOptions):
    """Which runs to compare, on which datasets, with which seeds."""

    renamed: ClassVar[dict[str, str]] = {"afterword": "closing_note"}

    runs: tuple[str | RunEntry, ...] = Field(min_length=1, description="templates, or {template, label, overrides}")
    datasets: tuple[str | dict[str, Any], ...] = Field(
        (),
        description="codes, paths of files, or mappings like {dataset_code: file, dataset_path: a.csv}; [] = the "
        "templates' own",
    )
    seeds: tuple[int, ...] = Field((), description="seeds; [] = the templates' own")
    metrics: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="the columns of the table; null = NDCG@10 and Recall@10 (or the largest k that is computed), RMSE "
        "and MAE",
    )
    tune_trials: int | None = Field(
        None,
        ge=1,
        description="trials of the search that precedes each run with a search space; the run is trained with the "
        "best options; null = no search",
    )
    retry_failed: bool = Field(False, description="try failed runs again")
    closing_note: str | None = Field(None, description="text to print after the table")
