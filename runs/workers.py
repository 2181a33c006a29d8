"""Training by several processes that `torchrun` starts: the options that it needs, and what it can't do."""

from __future__ import annotations

import os

import torch

from common.errors import UserError
from common.workers import Workers
from options import Origin
from runs.config import ExperimentConfig
from trainers.options import GenericTrainerOptions

GRADIENT_PARTS = 8  # so that 1, 2, 4 and 8 workers give the same bits


def for_workers(config: ExperimentConfig, workers: Workers) -> ExperimentConfig:
    """The configuration for training by `workers`, with `gradient_parts` set, and a GPU for each if there are several.

    Raises
    ------
    UserError
        The model can't be trained by several processes, or there are more of them than parts.
    """
    trainer = config.trainer
    if config.run.device in ("auto", "cuda") and torch.cuda.device_count() > 1:
        config = config.with_run(Origin.program("torchrun"), device=f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    if not isinstance(trainer, GenericTrainerOptions):
        raise UserError(f"model {config.model_class.code} is fitted in a single process: start it without torchrun")
    if trainer.gradient_parts is None:
        parts = max(GRADIENT_PARTS, workers.count)
        return config.changed(Origin.program("torchrun"), gradient_parts=parts)
    if trainer.gradient_parts < workers.count:
        raise UserError(
            f"{workers.count} workers need at least as many parts of each batch, and gradient_parts is "
            f"{trainer.gradient_parts}: start fewer workers, or set --gradient_parts {workers.count}"
        )
    return config
