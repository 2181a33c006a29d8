"""Mode compare: many runs under one protocol, then their table."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from common.schema import Options


class RunEntry(Options):
    """One row of a comparison."""

    template: str | tuple[str, ...] = Field(description="template, or templates in order")
    label: str | None = Field(None, description="the row's name; null = the template's label, or the model's code")
    overrides: dict[str, Any] = Field(default_factory=dict, description="options that differ from the template's")


class CompareOptions(Options):
    """Which runs to compare, on which datasets, with which seeds."""

    runs: tuple[str | RunEntry, ...] = Field(min_length=1, description="templates, or {template, label, overrides}")
    datasets: tuple[str | dict[str, Any], ...] = Field((), description="dataset codes, or {dataset_code, options}; [] = the templates' own")
    seeds: tuple[int, ...] = Field((), description="seeds; [] = the templates' own")
