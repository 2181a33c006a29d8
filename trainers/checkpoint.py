"""Checkpoints: everything that decides a run's future, in safetensors files that are never half written.

`models/checkpoints.json` lists the checkpoints, newest first, with the SHA-256 of each; a file that does not match is
named in a warning and the one before it is used. No file is ever unpickled.
"""

from __future__ import annotations

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
from common.files import atomic_path, sha256_file, write_text
from datasets import Split

log = logging.getLogger(__name__)
KEPT = 2
INDEX = "checkpoints.json"
BEST = "best.safetensors"


def origin(split: Split) -> dict[str, Any]:
    """What is kept beside weights of what they were trained on."""
    return {
        "data_hash": split.data.hash,
        "split_code": split.code,
        "split_drawn_at": split.drawn_at,
        "split_trained_on": split.trained_on,
    }


def check_origin(state: Mapping[str, Any], split: Split, weights: str) -> None:
    """Raise UserError if weights with this state were trained on another draw of the split, or on another part of the
    same data: on what tests here. (Older weights don't say which part that was.)"""
    drawn_at = state.get("split_drawn_at")
    if None not in (drawn_at, split.drawn_at) and drawn_at != split.drawn_at:
        raise UserError(
            f"{weights} was trained on another draw of the split {split.code} (split_seed {drawn_at}; here "
            f"{split.drawn_at}), and so on ratings that are held out here: give --split_seed {drawn_at}"
        )
    said = {**origin(split), **state}
    if said["data_hash"] == split.data.hash and said["split_trained_on"] != split.trained_on:
        there = state.get("split_code", "unknown")
        how = "with other options" if there == split.code else f"not {split.code}"
        raise UserError(
            f"{weights} was trained on another part of {split.data.name} than is trained on here (split {there}, "
            f"{how}), and so perhaps on what is held out here: give the split and its options that it was trained "
            "with (they are in its run's config.yaml), or train anew"
        )


def check_resumable(state: Mapping[str, Any], split: Split) -> None:
    """Raise UserError if a run with a checkpoint of this state can't be gone on with on this split."""
    if state.get("data_hash", split.data.hash) != split.data.hash:
        raise UserError(f"dataset {split.data.name} has changed since the run began: start anew with --overwrite true")
    check_origin(state, split, "the checkpoint")


@dataclass(frozen=True)
class Checkpoint:
    """tensors by name ("model/...", "best/...", "optimizer/...", "generator/..."), and a state of plain values."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under `prefix/`, without it."""
        return {name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(prefix + "/")}


def write_tensors(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors and a state of plain values to one safetensors file, atomically.

    Raises OSError where the system can't write it all (a full disk), as any other writing does.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            # One entry: safetensors writes several in any order, and equal runs are to have equal files.
            sums = {"sha256": content_hash(plain), "state_sha256": state_hash(state)}
            save_file(plain, temporary, metadata={"state": json.dumps({**state, **sums})})
        except SafetensorError as error:
            of_system = re.search(r"\(os error (\d+)\)", str(error))
            if of_system is None:
                raise
            number = int(of_system[1])
            raise OSError(number, os.strerror(number), str(path)) from error


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the tensors' names, types, shapes and values; they are contiguous and on the CPU."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def state_hash(state: Mapping[str, Any]) -> str:
    """SHA-256 of a state of plain values, the same before it is written and after it is read."""
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def read_tensors(path: Path) -> Checkpoint:
    """Read what `write_tensors` wrote. Raises UserError naming the file if it is damaged or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            state = dict(json.loads((file.metadata() or {}).get("state", "{}")))
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is no readable weights file ({error}): give another one") from error
    written, of_state = state.pop("sha256", None), state.pop("state_sha256", None)  # None: there was none then
    if written not in (None, content_hash(tensors)) or of_state not in (None, state_hash(state)):
        raise UserError(f"{path} is damaged (its checksum differs): give another weights file")
    return Checkpoint(tensors, state)


class CheckpointStore:
    """The checkpoints of one run, in its folder `models/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._refused: set[str] = set()  # files that were found damaged

    def save(self, checkpoint: Checkpoint, number: int) -> None:
        """Write checkpoint `number`, then list it, then drop the oldest: at any moment a listed one is whole."""
        path = self.folder / f"recent-{number:06d}.safetensors"
        before = self._entries()
        write_tensors(path, checkpoint.tensors, checkpoint.state)
        entries = [entry for entry in before if entry["file"] not in self._refused | {path.name}]
        self._refused.discard(path.name)
        entries = [{"file": path.name, "sha256": sha256_file(path)}, *entries][:KEPT]
        write_text(self.folder / INDEX, json.dumps(entries, indent=1) + "\n")
        kept = {entry["file"] for entry in entries}
        for old in self.folder.glob("recent-*.safetensors"):
            if old.name not in kept:
                old.unlink(missing_ok=True)

    def has_any(self) -> bool:
        """Whether there are checkpoints, whole or not."""
        return any(self.folder.glob("recent-*.safetensors"))

    def load(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if the run has none at all.

        Raises UserError if there are checkpoints and all of them are damaged.
        """
        problems = []
        for entry in self._entries():
            path = self.folder / entry["file"]
            try:
                checkpoint = _read_listed(path, entry["sha256"])
            except UserError as error:
                problems.append(str(error))
                self._refused.add(path.name)
                continue
            for problem in problems:
                log.warning("%s: going on from the checkpoint before it, %s", problem, path.name)
            return checkpoint
        if problems:
            raise UserError(
                f"no checkpoint of this run can be used: {'; '.join(problems)}. Start anew with --overwrite true"
            )
        return None

    def _entries(self) -> list[dict[str, str]]:
        """The checkpoints that the index lists, newest first; without a whole index, those that there are, with the
        checksum "" (each has one of its own inside)."""
        index = self.folder / INDEX
        there = sorted(self.folder.glob("recent-*.safetensors"), reverse=True)
        if index.is_file() or there:
            try:
                entries = json.loads(index.read_text(encoding="utf-8"))
                if there and not entries:
                    raise ValueError("it lists none")
                return [{"file": Path(entry["file"]).name, "sha256": str(entry["sha256"])} for entry in entries]
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s can't be read (%s): the checkpoints beside it are looked at themselves", index, error)
        return [{"file": path.name, "sha256": ""} for path in there]


def _read_listed(path: Path, sha256: str) -> Checkpoint:
    """A checkpoint as the index lists it. Raises UserError if it is missing or damaged."""
    if not path.is_file():
        raise UserError(f"{path} is missing")
    if sha256 and sha256_file(path) != sha256:
        raise UserError(f"{path} is damaged (its checksum differs)")
    return read_tensors(path)


def model_tensors(model: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the model's parameters and buffers on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def load_model(model: torch.nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Give the model these weights. Raises UserError naming `source` if they are those of another model."""
    own = model.state_dict()
    unlike = [
        f"{name} {tuple(own[name].shape)} there {tuple(tensors[name].shape)}"
        for name in own.keys() & tensors.keys()
        if own[name].shape != tensors[name].shape
    ]
    odd = sorted(own.keys() ^ tensors.keys())
    if odd or unlike:
        raise UserError(
            f"{source} holds the weights of another model or of other options: {', '.join(odd + unlike)}. "
            "Give the template and options that it was trained with"
        )
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
    """Give the optimizer the state that `flatten_optimizer` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split("/", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
