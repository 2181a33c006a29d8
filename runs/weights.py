"""Read pretrained weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from common.errors import UserError
from datasets import Split
from trainers.checkpoint import BEST, Checkpoint, check_provenance, read_tensors


def open_weights(name: str) -> Checkpoint:
    """A .safetensors file, a run's folder (its best model), or a checkpoint. Raises UserError if there is none."""
    path = Path(name)
    if path.is_dir():
        path = path / "models" / BEST
    if not path.is_file():
        raise UserError(f"there are no weights at {path}: give a run's folder or a .safetensors file")
    return read_tensors(path)


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The weights in a file: of a checkpoint, those of the best model."""
    return checkpoint.part("best") or checkpoint.tensors


def read_weights(name: str, split: Split) -> dict[str, Tensor]:
    """Weights to evaluate, as `open_weights`.

    Raises UserError if there are none, or if they were trained on other data or on interactions that `split` holds out.
    """
    checkpoint, data = open_weights(name), split.data
    check_provenance(checkpoint.state, split, str(checkpoint.path))
    if checkpoint.state.get("data_hash", data.hash) != data.hash:
        raise UserError(
            f"{checkpoint.path} was not trained on this version of {data.name} (hash {data.hash}): item numbers may "
            "differ, and the weights may have seen held-out interactions. Give the data that the run was trained on by "
            "--dataset_path, or train again; newer interactions go into a file of their own (--histories, or "
            "--appended_paths for a new run)"
        )
    return weights_of(checkpoint)
