"""Checkpoints are written completely or not at all; a damaged one is named and the one before it used."""

import errno
import json
import logging
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from common.errors import UserError
from trainers.checkpoint import (
    Checkpoint,
    CheckpointStore,
    checksum,
    flatten_optimizer,
    load_model,
    model_tensors,
    read_tensors,
    restore_optimizer,
    write_tensors,
)
from trainers.optimization import make_optimizer
from trainers.options import GenericTrainerOptions
from trainers.randomness import Generators


def checkpoint(number: int) -> Checkpoint:
    """A checkpoint that differs from the others."""
    return Checkpoint({"model/w": torch.full((64,), float(number)), "best/w": torch.zeros(2)}, {"epoch": number})


def filled(folder: Path, count: int) -> CheckpointStore:
    """A store after `count` checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    store = CheckpointStore(folder)
    for number in range(1, count + 1):
        store.save(checkpoint(number), number)
    return store


def newest_file(folder: Path) -> Path:
    """The file of the newest checkpoint."""
    return max(folder.glob("recent-*"))


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """The log, even after a run in this process has reconfigured the loggers."""
    for name in ("trainers", "trainers.checkpoint"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    caplog.set_level(logging.WARNING)
    return caplog


def damage(path: Path, how: str) -> None:
    """Damage a file in one of the ways that occur."""
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[:-5])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "tampered":
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()


def test_the_newest_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    store = filled(tmp_path, 5)
    loaded = store.load()
    assert loaded is not None
    assert loaded.state == {"epoch": 5}
    assert torch.equal(loaded.part("model")["w"], torch.full((64,), 5.0))
    assert set(loaded.part("best")) == {"w"}
    assert len(list(tmp_path.glob("recent-*"))) == 2
    assert not list(tmp_path.glob(".*"))


def test_no_checkpoint(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path).load() is None


@pytest.mark.parametrize("how", ["truncated", "empty", "tampered"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, heard: pytest.LogCaptureFixture, how: str
) -> None:
    store = filled(tmp_path, 3)
    spoilt = newest_file(tmp_path)
    damage(spoilt, how)
    loaded = store.load()
    assert loaded is not None and loaded.state == {"epoch": 2}
    (record,) = heard.records
    assert spoilt.name in record.getMessage() and record.levelno == logging.WARNING
    store.save(checkpoint(3), 3)  # a resumed run writes the same number again
    again = store.load()
    assert again is not None and again.state == {"epoch": 3}


def test_a_damaged_checkpoint_replaces_no_intact_one(tmp_path: Path) -> None:
    store = filled(tmp_path, 3)
    damage(newest_file(tmp_path), "tampered")
    store.load()
    store.save(checkpoint(5), 5)
    assert [path.name for path in sorted(tmp_path.glob("recent-*"))] == [f"recent-00000{n}.safetensors" for n in (2, 5)]
    damage(newest_file(tmp_path), "tampered")
    loaded = store.load()
    assert loaded is not None and loaded.state == {"epoch": 2}
    store.save(checkpoint(5), 5)
    store.save(checkpoint(6), 6)
    damage(newest_file(tmp_path), "missing")
    loaded = store.load()
    assert loaded is not None and loaded.state == {"epoch": 5}  # rewritten, it is intact


def test_all_checkpoints_damaged(tmp_path: Path) -> None:
    store = filled(tmp_path, 3)
    files = list(tmp_path.glob("recent-*"))
    for path in files:
        damage(path, "tampered")
    with pytest.raises(UserError, match="--overwrite true") as caught:
        store.load()
    assert all(path.name in str(caught.value) for path in files)


@pytest.mark.parametrize("step", ["os.replace", "fsync"])
def test_a_failed_write_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The old checkpoint is loaded, and no incomplete file is left."""
    store = filled(tmp_path, 1)

    def fail(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        if step == "fsync":
            patched.setattr(os, "fsync", fail)
        else:
            patched.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="no space"):
            store.save(checkpoint(2), 2)
    loaded = store.load()
    assert loaded is not None and loaded.state == {"epoch": 1}
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_named_and_the_last_checkpoint_kept(tmp_path: Path) -> None:
    """A limit on file size acts like a full disk; safetensors raises its own error for it."""
    store = filled(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does by default
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"recent-000002\.safetensors") as caught:
            store.save(Checkpoint({"model/w": torch.zeros(20_000)}, {"epoch": 2}), 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.errno == errno.EFBIG  # main reports an OSError with a number as a user's error
    loaded = store.load()
    assert loaded is not None and loaded.state == {"epoch": 1}
    assert not list(tmp_path.glob(".*"))


def test_other_files_are_refused_as_weights(tmp_path: Path) -> None:
    for content in (b"", b"hello", b"\x80\x04\x95\x00", os.urandom(200)):
        path = tmp_path / "odd.safetensors"
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"odd\.safetensors"):
            read_tensors(path)


def test_changed_weights_are_detected(tmp_path: Path) -> None:
    """The file can be read, but one bit of a weight has flipped."""
    path = tmp_path / "best.safetensors"
    write_tensors(path, {"w": torch.arange(6.0).view(2, 3), "count": torch.tensor(3)}, {"epoch": 1})
    assert read_tensors(path).tensors["count"] == 3
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"best\.safetensors is damaged"):
        read_tensors(path)


def test_a_changed_state_is_detected_and_older_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "recent.safetensors"
    tensors, state = {"w": torch.arange(6.0)}, {"step": 400, "best_value": float("nan"), "codes": ["a", "ä"]}
    write_tensors(path, tensors, state)
    assert str(read_tensors(path).state) == str(state)
    path.write_bytes(path.read_bytes().replace(b"400", b"900"))
    with pytest.raises(UserError, match=r"recent\.safetensors is damaged"):
        read_tensors(path)
    for sums in ({}, {"sha256": checksum(tensors)}, {"sha256": checksum(tensors), "state_sha256": "ab"}):
        save_file(tensors, path, metadata={"state": json.dumps({"step": 4, **sums})})
        assert read_tensors(path).state == {"step": 4}


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    weights = model_tensors(nn.Linear(3, 2))
    with pytest.raises(UserError, match=r"some file.*weight \(2, 4\) here, \(2, 3\)"):
        load_model(nn.Linear(4, 2), weights, "some file")
    with pytest.raises(UserError, match="bias"):
        load_model(nn.Linear(3, 2, bias=False), weights, "some file")
    with pytest.raises(UserError, match="bias"):
        load_model(nn.Linear(3, 2), {"weight": weights["weight"]}, "some file")


def test_saved_weights_are_a_copy(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    kept = model_tensors(model)
    with torch.no_grad():
        model.weight.zero_()
    assert kept["weight"].abs().sum() > 0
    write_tensors(tmp_path / "w.safetensors", kept, {"epoch": 1})
    read = read_tensors(tmp_path / "w.safetensors")
    load_model(model, read.tensors, "w")
    assert torch.equal(model.weight, kept["weight"]) and read.state == {"epoch": 1}


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_the_optimizer_state_is_restored(tmp_path: Path, kind: str) -> None:
    options = GenericTrainerOptions.model_validate(
        {"optimizer": kind, "lr": 0.1, "weight_decay": 0.01, "momentum": 0.9 if kind == "sgd" else 0.0}
    )
    torch.manual_seed(0)
    gradients = torch.randn(6, 5, 2)

    def steps(parameter: nn.Parameter, optimizer: torch.optim.Optimizer, some: torch.Tensor) -> None:
        for gradient in some:
            parameter.grad = gradient.clone()
            optimizer.step()

    whole = nn.Parameter(torch.ones(5, 2))
    steps(whole, make_optimizer([whole], options), gradients)
    first = nn.Parameter(torch.ones(5, 2))
    optimizer = make_optimizer([first], options)
    steps(first, optimizer, gradients[:4])
    write_tensors(tmp_path / "o.safetensors", {"w": first.detach(), **flatten_optimizer(optimizer)}, {})
    read = read_tensors(tmp_path / "o.safetensors").tensors
    second = nn.Parameter(read.pop("w").clone())
    resumed = make_optimizer([second], options)
    restore_optimizer(resumed, read)
    steps(second, resumed, gradients[4:])
    assert torch.equal(second, whole)


def test_the_generator_states_are_restored() -> None:
    cpu = torch.device("cpu")

    def draws(generators: Generators) -> list[torch.Tensor]:
        return [
            torch.rand(3, generator=generators.loader),
            torch.rand(3, generator=generators.model),
            torch.rand(3),
        ]

    with torch.random.fork_rng():
        generators = Generators(5, cpu)
        begin = draws(generators)
        state = {name: tensor.clone() for name, tensor in generators.state().items()}
        then = draws(generators)
        other = Generators(6, cpu)
        assert not torch.equal(draws(other)[0], begin[0])
        other.restore(state)
        assert all(torch.equal(a, b) for a, b in zip(draws(other), then, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(draws(Generators(5, cpu)), begin, strict=True))
        assert len({tuple(d.tolist()) for d in begin}) == 3  # the streams differ from one another
