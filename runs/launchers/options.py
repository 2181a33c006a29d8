"""Options of modes that start many runs: where to run them, and how many at once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.schema import SEARCH_BUDGET, Options


class LaunchOptions(Options):
    """Where to run, and how many runs at once."""

    launcher: Literal["local", "ray"] = Field(
        "local",
        description="where to run: on this machine, or on a Ray cluster (requirements-ray.txt)",
        json_schema_extra=SEARCH_BUDGET,
    )
    max_parallel: int | None = Field(
        None,
        ge=1,
        description="maximum number of runs at once; they share the CPU threads; null = 1 (ray: as many as fit)",
        json_schema_extra=SEARCH_BUDGET,
    )
    ray_address: str | None = Field(
        None,
        min_length=1,
        description="address of a running Ray cluster (auto, host:port, ray://...); null = start one here",
        json_schema_extra=SEARCH_BUDGET,
    )
    cpus_per_run: float = Field(
        1.0, gt=0, description="ray only: CPU cores, and so threads, per run", json_schema_extra=SEARCH_BUDGET
    )
    gpus_per_run: float = Field(
        0.0, ge=0, description="ray only: GPUs per run; a fraction shares a GPU", json_schema_extra=SEARCH_BUDGET
    )
    memory_per_run_gib: float | None = Field(
        None, gt=0, description="ray only: memory per run in GiB; null = no limit", json_schema_extra=SEARCH_BUDGET
    )

    @model_validator(mode="after")
    def _check_address(self) -> LaunchOptions:
        if self.ray_address is not None and self.launcher != "ray":
            raise ValueError("ray_address needs launcher ray")
        return self
