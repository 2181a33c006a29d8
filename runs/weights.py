"""Read pretrained weights."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor

from common.errors import UserError
from datasets import Split
from trainers.checkpoint import BEST, check_provenance, read_tensors

log = logging.getLogger(__name__)


def read_weights(name: str, split: Split, to_evaluate: bool = False) -> dict[str, Tensor]:
    """Weights from a .safetensors file, a run's folder (its best model), or a checkpoint (its best model).

    Raises UserError if there are none, if they were trained on interactions that `split` holds out, or if they are to
    be evaluated on other data than they were trained on. (Training may start from such weights.)
    """
    path = Path(name)
    if path.is_dir():
        path = path / "models" / BEST
    if not path.is_file():
        raise UserError(f"there are no weights at {path}: give a run's folder or a .safetensors file")
    checkpoint = read_tensors(path)
    check_provenance(checkpoint.state, split, str(path))
    data = split.data
    if checkpoint.state.get("data_hash", data.hash) != data.hash:
        if to_evaluate:
            raise UserError(
                f"{path} was not trained on this version of {data.name} (hash {data.hash}): item numbers may differ, "
                "and the weights may have seen held-out interactions. Give the original data, or train again. To "
                "recommend for newer histories, use --mode recommend with --histories"
            )
        log.warning("%s was trained on other data than %s: its item numbers may mean other items", path, data.name)
    return checkpoint.part("best") or checkpoint.tensors
