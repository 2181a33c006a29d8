"""What is reported of each epoch: a row in each table, TensorBoard's scalars, and a line in the log."""

from __future__ import annotations

import logging

from torch.utils.tensorboard import SummaryWriter

from evaluation.evaluator import Evaluation
from models.base import Stage
from trainers.base import TrainerSetup
from trainers.optimization import learning_rate
from trainers.options import GenericTrainerOptions
from trainers.progress import format_seconds
from trainers.state import TrainingState

log = logging.getLogger(__name__)
TABLES = ("train", "val", "time")  # with a row for each epoch


class EpochReporter:
    """Adds the epochs of a run to its tables, TensorBoard and the log."""

    def __init__(self, options: GenericTrainerOptions, setup: TrainerSetup, board: SummaryWriter) -> None:
        self.options = options
        self.setup = setup
        self.board = board

    def report(
        self,
        state: TrainingState,
        stage: str,
        losses: dict[str, float],
        validation: Evaluation | None,
        seconds: float,
    ) -> None:
        """Report the epoch that `state` has just counted.

        Parameters
        ----------
        state : the state of the run after the epoch
        stage : the name of its stage
        losses : the mean training loss ("loss") and its parts
        validation : the metrics on the validation set; None if there is no validation
        seconds : how long the epoch took
        """
        epoch, folder = state.epoch, self.setup.folder
        folder.check_place()
        rate = learning_rate(self.options, epoch - 1)
        evaluated = {} if validation is None else validation.metrics
        metrics = {f"{c}/{name}": v for c, values in evaluated.items() for name, v in values.items()}
        folder.table("train").append({"epoch": epoch, "stage": stage, "lr": rate, **losses})
        folder.table("val").append({"epoch": epoch, "stage": stage, **metrics})
        folder.table("time").append({"epoch": epoch, "seconds": round(seconds, 3)})
        for name, number in losses.items():
            self.board.add_scalar(f"train/{name}", number, epoch)
        for name, number in metrics.items():
            self.board.add_scalar(f"validation/{name}", number, epoch)
        self.board.add_scalar("train/lr", rate, epoch)
        folder.write_status(state="running", **state.as_dict())
        left = self._time_left(state, seconds)
        named = "" if stage == Stage.name else f" ({stage})"
        if validation is None:
            log.info("epoch %d%s: loss %.4f; %.1f s%s", epoch, named, losses["loss"], seconds, left)
            return
        evaluator = self.setup.evaluator
        margin = evaluator.margin(validation)
        log.info(
            "epoch %d%s: loss %.4f, %s %s %.4f%s, best %.4f in epoch %d; %.1f s%s",
            epoch,
            named,
            losses["loss"],
            evaluator.deciding_candidates,
            evaluator.options.best_metric,
            evaluator.deciding_value(validation),
            "" if margin is None else f" +- {margin:.4f}",
            state.best_value or 0.0,
            state.best_epoch,
            seconds,
            left,
        )

    def _time_left(self, state: TrainingState, seconds: float) -> str:
        """An upper bound of the time left, if num_epochs or max_minutes limits it; `seconds` is that of an epoch."""
        left = []
        if self.options.num_epochs is not None:
            left.append((self.options.num_epochs - state.epoch) * seconds)
        if self.options.max_minutes is not None:
            left.append(self.options.max_minutes * 60 - state.seconds)
        return f", at most {format_seconds(max(0.0, min(left)))} left" if left else ""
