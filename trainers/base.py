"""What every trainer is given, and what it provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from common.workers import ALONE, Workers
from dataloaders import Dataloader
from evaluation.evaluator import Evaluator
from models.base import Model
from trainers.options import TrainerOptions
from trainers.randomness import Generators
from trainers.run_folder import RunFolder
from trainers.state import TrainingState


@dataclass(frozen=True)
class TrainerSetup:
    """The objects that a trainer uses.

    Attributes
    ----------
    model : the model, on `device`
    loader, evaluator, folder, generators, device : those of the run
    pilot : whether to run every step only briefly
    options : all options that decide the run's results; checkpoints record them
    stop_early : called after each validation with the epoch and its deciding value; True ends the run as pruned. It is
        called again for epochs that a resumed run repeats
    workers : the processes that train together
    """

    model: Model
    loader: Dataloader
    evaluator: Evaluator
    folder: RunFolder
    generators: Generators
    device: torch.device
    pilot: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    stop_early: Callable[[int, float], bool] | None = None
    workers: Workers = ALONE


class BaseTrainer(ABC):
    """Trains the model of a run. Each subclass takes options of its own schema.

    Attributes
    ----------
    code, Options : the trainer's name in the registry, and the schema of its options
    interrupted : whether Ctrl-C was pressed
    """

    code: ClassVar[str]
    Options: ClassVar[type[TrainerOptions]]

    def __init__(self, options: TrainerOptions, setup: TrainerSetup) -> None:
        self.options = options
        self.setup = setup
        self.interrupted = False

    @abstractmethod
    def train(self, resume: bool) -> TrainingState:
        """Train, or resume, and leave the model with the best weights of the run."""
