"""Finding the weights that `--pretrained_weights` names."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from common.errors import UserError
from trainers.checkpoint import BEST, read_tensors


def read_weights(name: str) -> dict[str, Tensor]:
    """Weights from a .safetensors file, a run's folder (its best model), or a checkpoint (its best model).

    Raises UserError if there are none.
    """
    path = Path(name)
    if path.is_dir():
        path = path / "models" / BEST
    if not path.is_file():
        raise UserError(f"there are no weights at {path}: give a run's folder or a .safetensors file")
    checkpoint = read_tensors(path)
    return checkpoint.part("best") or checkpoint.tensors
