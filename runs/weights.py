"""Finding the weights that `--pretrained_weights` names."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor

from common.errors import UserError
from datasets import Split
from trainers.checkpoint import BEST, check_origin, read_tensors

log = logging.getLogger(__name__)


def read_weights(name: str, split: Split, measured: bool = False) -> dict[str, Tensor]:
    """Weights from a .safetensors file, a run's folder (its best model), or a checkpoint (its best model).

    Raises UserError if there are none, if they have seen what `split` holds out, or if they are to be `measured` on
    other data than they were trained on; training may begin with those.
    """
    path = Path(name)
    if path.is_dir():
        path = path / "models" / BEST
    if not path.is_file():
        raise UserError(f"there are no weights at {path}: give a run's folder or a .safetensors file")
    checkpoint = read_tensors(path)
    check_origin(checkpoint.state, split, str(path))
    data = split.data
    if checkpoint.state.get("data_hash", data.hash) != data.hash:
        if measured:
            raise UserError(
                f"{path} was trained on other data than {data.name} is here (hash {data.hash}): its items would be "
                "taken for others, and it may have seen what is held out here. Give the data that it was trained on "
                "(newer histories go by --histories, in mode recommend), or train anew"
            )
        log.warning("%s was trained on other data than %s: its item ids may mean other items", path, data.name)
    return checkpoint.part("best") or checkpoint.tensors
