"""The options of modes that do many runs: where, and how many at once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.schema import Options


class LaunchOptions(Options):
    """Where the runs are computed."""

    launcher: Literal["local", "ray"] = Field(
        "local", description="where the runs are computed: on this machine, or on a Ray cluster (requirements-ray.txt)"
    )
    max_parallel: int | None = Field(
        None,
        ge=1,
        description="most runs at once, each with its share of the CPU threads; null = one, with ray all that fit",
    )
    ray_address: str | None = Field(
        None, min_length=1, description="a running Ray cluster (auto, host:port, ray://...); null = one on this machine"
    )
    cpus_per_run: float = Field(1.0, gt=0, description="with ray: cores that a run needs; it uses as many threads")
    gpus_per_run: float = Field(0.0, ge=0, description="with ray: GPUs that a run needs; parts of one are shared")
    memory_per_run_gib: float | None = Field(None, gt=0, description="with ray: memory that a run needs; null = any")

    @model_validator(mode="after")
    def _check_address(self) -> LaunchOptions:
        if self.ray_address is not None and self.launcher != "ray":
            raise ValueError("ray_address is for launcher ray")
        return self
