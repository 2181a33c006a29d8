"""Checkpoints: all that a run needs to resume, in safetensors files that are written atomically.

Each file contains a checksum of its tensors and state. A damaged file is named in a warning, and the previous
checkpoint is used instead. Nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from common.errors import UserError
from common.files import atomic_path
from common.json_files import parse_json
from datasets import Split

log = logging.getLogger(__name__)
KEPT = 2
OPTIONS = "options"  # in the state: the options that decide results
CHECKSUM = "checksum"
BEST = "best.safetensors"


def provenance(split: Split) -> dict[str, Any]:
    """The data and the split that weights were trained on, which are stored with them."""
    return {
        "data_hash": split.data.hash,
        "split_code": split.code,
        "split_drawn_at": split.drawn_at,
        "split_trained_on": split.trained_on,
    }


def check_provenance(state: Mapping[str, Any], split: Split, weights: str) -> None:
    """Raise UserError if the weights were trained on other interactions of this data than `split` trains on.

    Such weights may have been trained on interactions that are held out here. Weights from older versions, which don't
    record their part of the data, are accepted.

    Parameters
    ----------
    state : the state stored with the weights
    split : the split to use them on
    weights : what error messages call the weights
    """
    drawn_at = state.get("split_drawn_at")
    if None not in (drawn_at, split.drawn_at) and drawn_at != split.drawn_at:
        raise UserError(
            f"{weights} was trained on another draw of the split {split.code} (split_seed {drawn_at}; here "
            f"{split.drawn_at}), which includes ratings that are held out here: use --split_seed {drawn_at}"
        )
    stored = {**provenance(split), **state}
    if stored["data_hash"] == split.data.hash and stored["split_trained_on"] != split.trained_on:
        there = state.get("split_code", "unknown")
        how = "with other options" if there == split.code else f"not {split.code}"
        raise UserError(
            f"{weights} was trained on another part of {split.data.name} (split {there}, {how}), which may include "
            "interactions that are held out here: use the split options in the config.yaml of its run, or train again"
        )


def check_resumable(state: Mapping[str, Any], split: Split) -> None:
    """Raise UserError if a run can't resume from a checkpoint with this state on this split."""
    if state.get("data_hash", split.data.hash) != split.data.hash:
        raise UserError(f"dataset {split.data.name} has changed since the run started: restart with --overwrite true")
    check_provenance(state, split, "the checkpoint")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes
    ----------
    tensors : by name, "model/...", "best/...", "optimizer/..." or "generator/..."
    state : plain values, for JSON
    path : the file it was read from
    """

    tensors: dict[str, Tensor]
    state: dict[str, Any]
    path: Path | None = None

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under `prefix/`, without it."""
        return {name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(prefix + "/")}


def write_tensors(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors and a state of plain values to one safetensors file, atomically.

    Raises OSError if the file can't be written, for instance because the disk is full.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            # A single metadata entry: safetensors writes several in no fixed order, and equal runs write equal files.
            save_file(plain, temporary, metadata={"state": json.dumps({**state, CHECKSUM: checksum(plain, state)})})
        except SafetensorError as error:
            from_system = re.search(r"\(os error (\d+)\)", str(error))
            if from_system is None:
                raise
            number = int(from_system[1])
            raise OSError(number, os.strerror(number), str(path)) from error


def checksum(tensors: Mapping[str, Tensor], state: Mapping[str, Any] | None = None) -> str:
    """SHA-256 of the tensors' names, types, shapes and values, and of the state.

    The tensors are contiguous and on the CPU. A state's checksum doesn't change when it is written and read back.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    if state is not None:
        digest.update(json.dumps(state).encode())
    return digest.hexdigest()


def read_tensors(path: Path) -> Checkpoint:
    """Read a file that `write_tensors` wrote. Raises UserError naming the file if it is damaged or of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            state = _state_of(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is not a readable weights file ({error})") from error
    stored, of_tensors = state.pop(CHECKSUM, None), state.pop("sha256", None)
    state.pop("state_sha256", None)
    damaged = stored != checksum(tensors, state) if stored else of_tensors not in (None, checksum(tensors))
    if damaged:  # earlier versions stored a checksum of the tensors alone, or none
        raise UserError(f"{path} is damaged (its checksum differs)")
    return Checkpoint(tensors, state, path)


def _state_of(file: Any) -> dict[str, Any]:
    """The state in an open safetensors file. Raises ValueError if it isn't a JSON object."""
    return parse_json((file.metadata() or {}).get("state", "{}"), dict[str, Any])


class CheckpointStore:
    """The checkpoints of one run, in its folder `models/`: recent-<epoch>.safetensors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._damaged: set[Path] = set()

    def save(self, checkpoint: Checkpoint, number: int) -> None:
        """Write checkpoint `number`, then remove all but the newest `KEPT` intact ones."""
        path = self.folder / f"recent-{number:06d}.safetensors"
        write_tensors(path, checkpoint.tensors, checkpoint.state)
        self._damaged.discard(path)
        intact = [file for file in self._files() if file not in self._damaged]
        for old in {*intact[KEPT:], *self._damaged}:
            old.unlink(missing_ok=True)

    def has_any(self) -> bool:
        """Whether there are checkpoints, intact or not."""
        return bool(self._files())

    def options(self) -> dict[str, Any] | None:
        """The options that the newest readable checkpoint was trained with; None if none says so."""
        for path in self._files():
            with contextlib.suppress(SafetensorError, OSError, ValueError), safe_open(path, framework="pt") as file:
                options = _state_of(file).get(OPTIONS)
                return options if isinstance(options, dict) else None
        return None

    def load(self) -> Checkpoint | None:
        """The newest intact checkpoint; None if the run has no checkpoint.

        Raises UserError if all checkpoints are damaged.
        """
        problems = []
        for path in self._files():
            try:
                checkpoint = read_tensors(path)
            except UserError as error:
                problems.append(str(error))
                self._damaged.add(path)
                continue
            for problem in problems:
                log.warning("%s: resuming from the previous checkpoint, %s", problem, path.name)
            return checkpoint
        if problems:
            raise UserError(
                f"all checkpoints of this run are damaged: {'; '.join(problems)}. Restart with --overwrite true"
            )
        return None

    def _files(self) -> list[Path]:
        """The checkpoint files, newest first."""
        return sorted(self.folder.glob("recent-*.safetensors"), reverse=True)


def model_tensors(model: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the model's parameters and buffers on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def check_fits(model: torch.nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Raise UserError naming `source` if weights don't fit the model."""
    own = model.state_dict()
    unlike = [
        f"{name} {tuple(own[name].shape)} here, {tuple(tensors[name].shape)}"
        for name in own.keys() & tensors.keys()
        if own[name].shape != tensors[name].shape
    ]
    odd = sorted(own.keys() ^ tensors.keys())
    if odd or unlike:
        raise UserError(
            f"{source} contains weights of another model or of other options: {', '.join(odd + unlike)}. "
            "Use the template and options that it was trained with"
        )


def load_model(model: torch.nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load weights into the model. Raises UserError naming `source` if they don't fit it."""
    check_fits(model, tensors, source)
    model.load_state_dict(tensors)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as tensors named "<parameter number>/<name>"."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}/{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for number, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load the state that `flatten_optimizer` returned into the optimizer.

    Raises ValueError if it is not the state of such an optimizer of these parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split("/", 1)
        state.setdefault(int(number), {})[name] = value
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, named in state.items():
        shapes = {name: tuple(value.shape) for name, value in named.items() if value.is_floating_point()}
        if index not in range(len(parameters)) or shapes not in _known_states(optimizer, parameters[index]):
            raise ValueError(f"the optimizer state of parameter {index} belongs to another optimizer or model")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _known_states(optimizer: torch.optim.Optimizer, parameter: Tensor) -> list[dict[str, tuple[int, ...]]]:
    """The states that an optimizer may keep of a parameter: name -> shape."""
    whole = tuple(parameter.shape)
    if isinstance(optimizer, torch.optim.SGD):
        return [{"momentum_buffer": whole}]
    moments: dict[str, tuple[int, ...]] = {"step": (), "exp_avg": whole, "exp_avg_sq": whole}
    by_rows: dict[str, tuple[int, ...]] = {"step": (), "sum": whole[:1]}
    return [moments, by_rows] if getattr(optimizer, "adagrad", False) else [moments]
