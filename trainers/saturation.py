"""The counters of a training: what is best so far, and how long it has been waited for better."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class TrainingState:
    """Everything of a run's past that decides its future, but tensors. All of it is in the checkpoint.

    Attributes
    ----------
    epoch : epochs done
    step : optimizer steps done, over all stages
    stage : index of the current stage
    waiting_since : the epoch of the last improvement, or of the stage's start if that is later
    best_epoch, best_value : where the deciding metric was highest over the whole run, and its value there
    seconds : time spent in training and validation
    peak_memory_mib : the most memory that was in use, over all processes of the run
    stopped_by : what ended the run; None while it goes on
    codes : the versions of the code that the run went through, in order
    machines : the devices and numbers of threads that it went through, in order
    """

    epoch: int = 0
    step: int = 0
    stage: int = 0
    waiting_since: int = 0
    best_epoch: int | None = None
    best_value: float | None = None
    seconds: float = 0.0
    peak_memory_mib: float = 0.0
    stopped_by: str | None = None
    codes: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)

    def observe(self, value: float) -> bool:
        """Take note of the deciding metric after the current epoch; True if it is the best so far."""
        if self.best_value is not None and value <= self.best_value:
            return False
        self.best_value, self.best_epoch, self.waiting_since = value, self.epoch, self.epoch
        return True

    def saturated(self, wait_epochs: int | None) -> bool:
        """Whether `wait_epochs` epochs have passed in this stage without an improvement."""
        return wait_epochs is not None and self.epoch - self.waiting_since >= wait_epochs

    def next_stage(self) -> None:
        """Enter the next stage; the wait starts anew, the best stays."""
        self.stage += 1
        self.waiting_since = self.epoch

    def goes_on_by(self, code: str, machine: str) -> list[str]:
        """Take note of the version of the code, and of the device, that the run goes on by: in words, what it was begun
        by where that is another."""
        before = []
        for past, now in ((self.codes, code), (self.machines, machine)):
            if not past or past[-1] != now:
                before += past[-1:]
                past.append(now)
        return before

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the checkpoint."""
        return asdict(self)
