"""Training on all interactions, for serving: for as many epochs as a validated run needed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.errors import UserError
from datasets import Heldout, SequenceData, Split
from datasets.splits.random_rating import RatingSplit
from evaluation.metrics import higher_is_better
from options import Origin
from runs.config import ExperimentConfig
from trainers.options import GenericTrainerOptions, TransferTrainerOptions
from trainers.run_folder import RunFolder


def without_heldout(data: SequenceData, split: Split) -> Split:
    """All of `data` as training interactions, with nothing held out; `split` is its split."""
    nothing = np.zeros(0, dtype=np.int64)
    empty = Heldout(nothing, nothing, nothing, nothing, np.zeros(1, dtype=np.int64))
    if isinstance(split, RatingSplit):  # keeps the scale of its ratings
        start, end = np.asarray(split.data.offsets[:-1]), np.asarray(split.data.offsets[1:])
        return replace(split, train_start=start, train_end=end, validation=empty, test=empty)
    start, end = np.asarray(data.offsets[:-1]), np.asarray(data.offsets[1:])
    return Split(split.code, data, start, end, empty, empty)


def with_known_epochs(config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with the epochs of the validated run `epochs_of` in place of that option."""
    trainer = config.trainer
    if not isinstance(trainer, GenericTrainerOptions) or trainer.epochs_of is None:
        return config
    run = _validated_run(Path(trainer.epochs_of), config.model_class.code)
    epochs = run.epochs_of_stages()
    values: dict[str, Any] = {"num_epochs": sum(epochs), "epochs_of": None}
    if isinstance(trainer, TransferTrainerOptions):
        values["stage_epochs"] = epochs
    return config.changed(Origin.program(f"epochs_of {trainer.epochs_of}"), **values)


@dataclass(frozen=True)
class _Validated:
    """A finished run: its best epoch, and each epoch's stage and deciding value on validation."""

    best_epoch: int
    stages: list[str]
    values: list[float]
    higher_is_better: bool
    starts_from_best: bool

    def epochs_of_stages(self) -> list[int]:
        """The number of epochs of each stage that led to the best model.

        If each stage starts from the best weights so far, the epochs after those don't count.
        """
        names = list(dict.fromkeys(self.stages))
        stage = np.array([names.index(name) for name in self.stages])
        epochs, last = [0] * len(names), self.best_epoch
        while last > 0:
            number = int(stage[last - 1])
            first = int(np.argmax(stage == number)) + 1
            epochs[number] = last - first + 1
            last = self._best_until(first - 1) if self.starts_from_best else first - 1
        return epochs

    def _best_until(self, epoch: int) -> int:
        """The best of the first epochs, 0 if there is none."""
        values = self.values[:epoch]
        return 0 if not values else int(np.argmax(values) if self.higher_is_better else np.argmin(values)) + 1


def _validated_run(path: Path, model_code: str) -> _Validated:
    """Read a finished run. Raises UserError if it has no best epoch to follow."""
    folder = RunFolder(path)
    try:
        results = json.loads(folder.results.read_text(encoding="utf-8"))
        table = pd.read_csv(path / "tables" / "val_log.csv")
        options = results["options"]
        metric = options["best_metric"]
        rated = metric in table.columns or f"ratings/{metric}" in table.columns
        deciding = f"{'ratings' if rated else options['validation_candidates']}/{metric}"
        run = _Validated(
            int(results["best_epoch"]),
            table["stage"].astype(str).tolist(),
            table[deciding].astype(float).tolist(),
            higher_is_better(metric),
            bool(options.get("best_model_transfer", True)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"epochs_of {path}: there is no finished, validated run ({error}): give the folder of one"
        ) from error
    if results["model_code"] != model_code:
        raise UserError(f"epochs_of {path} is a run of model {results['model_code']}, not of {model_code}")
    if len(run.stages) < run.best_epoch:
        raise UserError(f"epochs_of {path}: its table val_log.csv lacks epochs; give num_epochs instead")
    return run
