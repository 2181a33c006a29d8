"""The state of a training run: counters, best validation value and early stopping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


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

    epoch: int = 0
    step: int = 0
    stage: int = 0
    waiting_since: int = 0
    best_epoch: int | None = None
    best_value: float | None = None
    higher_is_better: bool = True
    seconds: float = 0.0
    peak_memory_mib: float = 0.0
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
        """The state from what `as_dict` returned, in this version of the code or an earlier one."""
        return cls(**{**with_plain_best_value(values), "higher_is_better": higher_is_better})


def with_plain_best_value(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded state whose best value has the metric's own sign.

    Earlier versions recorded errors (RMSE, MAE) as negative numbers, and no `higher_is_better`.
    """
    best = values.get("best_value")
    if "higher_is_better" in values or best is None:
        return dict(values)
    return {**values, "best_value": abs(best)}
