"""The trainer of models that are computed from the training interactions, without gradient steps."""

from __future__ import annotations

import time

import numpy as np
import torch

from common.errors import UserError
from evaluation.evaluator import Evaluation
from models.base import FittedModel
from trainers.base import BaseTrainer
from trainers.checkpoint import BEST, model_tensors, provenance, write_tensors
from trainers.options import TrainerOptions
from trainers.state import TrainingState


class FitTrainerOptions(TrainerOptions):
    """Trainer `fit` adds no options."""


class FitTrainer(BaseTrainer):
    """Fits the model once and validates it. A killed run restarts from scratch."""

    code = "fit"
    Options = FitTrainerOptions

    def train(self, resume: bool) -> TrainingState:
        """Fit; the state counts one epoch."""
        model, evaluator, folder = self.setup.model, self.setup.evaluator, self.setup.folder
        if not isinstance(model, FittedModel):
            raise UserError(f"trainer fit is for models without gradient training; {model.code} isn't one: use generic")
        began = time.perf_counter()
        split = self.setup.loader.split
        positions, offsets = split.training_positions()
        device = self.setup.device
        items = torch.from_numpy(split.data.items[positions].astype(np.int64)).to(device)
        required = model.required(model.options)
        needed = {name: torch.from_numpy(getattr(split.data, name)[positions]).to(device) for name in required}
        model.fit(items, torch.from_numpy(offsets).to(device), **needed)
        validates = self.options.train_on == "train"
        validation = evaluator.evaluate(model, device, "validation") if validates else Evaluation({})
        state = TrainingState(1, best_epoch=1, stopped_by="fitted", higher_is_better=evaluator.higher_is_better)
        state.best_value = evaluator.deciding_value(validation) if validates else None
        state.seconds = time.perf_counter() - began
        metrics = {f"{c}/{name}": v for c, values in validation.metrics.items() for name, v in values.items()}
        folder.table("val").keep_through(0)
        folder.table("val").append({"epoch": 1, "stage": "fitted", **metrics})
        write_tensors(folder.models / BEST, model_tensors(model), {"epoch": 1, **provenance(split)})
        return state
