"""The state of a training run: counters, best validation value and early stopping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any

from pydantic import Field

from common.json_files import parse_json

Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass
class TrainingState:
    """Everything but tensors that decides how a run continues. Checkpoints hold all of it.

    Attributes
    ----------
    epoch : epochs completed
    step : optimizer steps taken, over all stages
    stage : index of the current stage
    waiting_since : the epoch of the last improvement or, if that is later, the last epoch before the current stage
    best_epoch, best_value : the epoch with the best validation value of the run, over all stages, and that value
    higher_is_better : the direction of the validation metric
    seconds : time spent in training and validation
    peak_memory_mib : peak memory use, over all processes of the run
    stopped_by : what ended the run; None while it continues
    codes : the versions of the code that trained the run, in order
    machines : the devices and thread counts that it was trained on, in order
    """

    epoch: Count = 0
    step: Count = 0
    stage: Count = 0
    waiting_since: Count = 0
    best_epoch: Count | None = None
    best_value: Number | None = None
    higher_is_better: bool = True
    seconds: Amount = 0.0
    peak_memory_mib: Amount = 0.0
    stopped_by: str | None = None
    codes: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)

    def observe(self, value: float) -> bool:
        """Record the validation value of the current epoch; True if it is the best so far."""
        if self.best_value is not None:
            improved = value > self.best_value if self.higher_is_better else value < self.best_value
            if not improved:
                return False
        self.best_value, self.best_epoch, self.waiting_since = value, self.epoch, self.epoch
        return True

    def saturated(self, wait_epochs: int | None) -> bool:
        """Whether the last `wait_epochs` epochs of this stage brought no improvement."""
        return wait_epochs is not None and self.epoch - self.waiting_since >= wait_epochs

    def next_stage(self) -> None:
        """Start the next stage: patience restarts, the best value is kept."""
        self.stage += 1
        self.waiting_since = self.epoch

    def record_environment(self, code: str, machine: str) -> list[str]:
        """Record the version of the code and the machine that continue the run. Returns those that they replace."""
        before = []
        for past, now in ((self.codes, code), (self.machines, machine)):
            if not past or past[-1] != now:
                before += past[-1:]
                past.append(now)
        return before

    def as_dict(self) -> dict[str, Any]:
        """The state as plain values, for checkpoints and status.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], higher_is_better: bool) -> TrainingState:
        """The state from what `as_dict` returned, in this version of the code or an earlier one.

        Raises
        ------
        ValueError
            A value is of another type or out of range, or belongs to no state of this version.
        """
        unknown = sorted(values.keys() - {one.name for one in fields(cls)})
        if unknown:
            raise ValueError(f"the state has unknown values: {', '.join(unknown)}")
        state = parse_json(json.dumps(dict(values)), cls)
        plain = with_plain_best_value({**values, "best_value": state.best_value})
        return replace(state, best_value=plain["best_value"], higher_is_better=higher_is_better)


def with_plain_best_value(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded state whose best value has the metric's own sign.

    Earlier versions recorded errors (RMSE, MAE) as negative numbers, and no `higher_is_better`.
    """
    best = values.get("best_value")
    if "higher_is_better" in values or best is None:
        return dict(values)
    return {**values, "best_value": abs(best)}
