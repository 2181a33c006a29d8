"""An estimate of the memory that a run needs, compared with what there is, before anything is trained."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import torch

from common.errors import UserError
from evaluation import users_at_once
from models import Dimensions
from runs.config import ExperimentConfig
from trainers.options import GenericTrainerOptions

GIB = 2**30
PROCESS = 0.5 * GIB  # Python, torch, and the data, which is mapped from the disk
SCORES_COPIES = 3  # of a batch's scores in evaluation: the scores, masked ones, and their comparison


@dataclass(frozen=True)
class Estimate:
    """An estimate of the peak memory of a run, in bytes.

    Attributes
    ----------
    weights : parameters and buffers
    training : gradients, the optimizer's moments, the best weights, and a copy while a checkpoint is written
    scores : the scores of an evaluation batch
    """

    weights: float
    training: float
    scores: float

    @property
    def total(self) -> float:
        """All of it, with the process itself."""
        return PROCESS + self.weights + self.training + self.scores


def estimate(config: ExperimentConfig, dimensions: Dimensions) -> Estimate:
    """Estimate a run's memory from the shapes of its parameters. Allocates none of them, and draws nothing."""
    with torch.device("meta"):
        model = config.model_class(config.model, dimensions)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    copies = 1.0  # the best weights
    if isinstance(config.trainer, GenericTrainerOptions):
        moments = 2.0 if config.trainer.optimizer != "sgd" else float(config.trainer.momentum > 0)
        gradient = 1.0 if config.trainer.item_optimizer == "dense" else 0.0
        copies += moments + gradient + 1
    users = users_at_once(config.evaluation.eval_batch_size, dimensions.num_items)
    return Estimate(weights, copies * weights, SCORES_COPIES * 4.0 * users * dimensions.num_items)


def available(device: torch.device) -> float | None:
    """Bytes that the device has free; on a CPU within the limit of the control group. None if unknown."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    found: list[float] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(1024.0 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))))
    with contextlib.suppress(OSError, ValueError):  # "max" if there is no limit
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / f"memory.{kind}").read_text()) for kind in ("max", "current"))
        found.append(float(limit - used))
    return min(found, default=None)


def check_memory(config: ExperimentConfig, dimensions: Dimensions, device: torch.device) -> None:
    """Raise UserError if the run needs more memory than `max_memory`, or than the device has free.

    The message says where the memory goes and what would need less.
    """
    given = config.run.max_memory
    limit = available(device) if given is None else given * GIB
    if limit is None:
        return
    needed = estimate(config, dimensions)
    if needed.total <= limit:
        return
    raise UserError(
        f"model {config.model_class.code} on {dimensions.num_items:,} items needs about {_gib(needed.total)}: "
        f"{_gib(needed.weights)} for weights, {_gib(needed.training)} for their gradients, optimizer and copies, "
        f"{_gib(needed.scores)} for scores. "
        + (f"{_gib(limit)} are free" if given is None else f"The limit --max_memory is {_gib(limit)}")
        + f". Try {', or '.join(_advice(config, needed, limit))}"
        + ("; --max_memory overrides this check" if given is None else "")
    )


def _advice(config: ExperimentConfig, needed: Estimate, limit: float) -> list[str]:
    """Options that need less memory."""
    advice, width = [], getattr(config.model, "hidden_units", None)
    if width:
        fitting = int(width * (limit - PROCESS - needed.scores) / (needed.weights + needed.training)) // 8 * 8
        advice += [f"--hidden_units {fitting}"] if fitting > 0 else []
    if getattr(config.trainer, "item_optimizer", None) == "dense" and config.model_class.touches_rows(config.model):
        advice.append("--item_optimizer sparse")
    if needed.scores > needed.weights:
        advice.append("a smaller --eval_batch_size")
    return [*advice, "a larger --min_sc, which drops rare items"]


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
