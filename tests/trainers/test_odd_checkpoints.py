"""A checkpoint with a right checksum may still be none of this run: that is named, and nothing is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import make_trainer
from safetensors.torch import save_file
from torch import Tensor

from common.errors import UserError
from trainers.checkpoint import read_tensors, write_tensors
from trainers.run_folder import RunFolder, Table

Change = Callable[[dict[str, Tensor], dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "text as a number": lambda tensors, state: state.update(epoch="x"),
    "negative": lambda tensors, state: state.update(step=-1),
    "no such stage": lambda tensors, state: state.update(stage=3),
    "unknown value": lambda tensors, state: state.update(wrong=1),
    "list": lambda tensors, state: state.update(best_value=[1]),
    "no best weights": lambda tensors, state: tensors.pop("best/table"),
    "best weights of another shape": lambda tensors, state: tensors.update({"best/table": torch.zeros(2)}),
    "no generator": lambda tensors, state: tensors.pop("generator/loader"),
    "short generator": lambda tensors, state: tensors.update({"generator/loader": torch.zeros(3, dtype=torch.uint8)}),
    "generator of floats": lambda tensors, state: tensors.update({"generator/global": torch.zeros(3)}),
    "no optimizer step": lambda tensors, state: tensors.pop("optimizer/0/step"),
    "odd optimizer": lambda tensors, state: tensors.update({"optimizer/x": torch.zeros(1)}),
    "optimizer of another shape": lambda tensors, state: tensors.update({"optimizer/0/exp_avg": torch.zeros(1)}),
    "another parameter": lambda tensors, state: tensors.update({"optimizer/9/step": torch.zeros(())}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_odd_checkpoint_is_named(tmp_path: Path, name: str) -> None:
    make_trainer(tmp_path, num_epochs=1, checkpoint_seconds=0).train(resume=False)
    (file,) = (tmp_path / "models").glob("recent-*")
    checkpoint = read_tensors(file)
    CHANGES[name](checkpoint.tensors, checkpoint.state)
    write_tensors(file, checkpoint.tensors, checkpoint.state)
    with pytest.raises(UserError, match=file.name):
        make_trainer(tmp_path, num_epochs=2).train(resume=True)


@pytest.mark.parametrize("state", ["[1]", "1", "{", "", "null", "[" * 5000])
def test_a_state_that_is_no_mapping_is_damage(tmp_path: Path, state: str) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, file, metadata={"state": state})
    with pytest.raises(UserError, match=r"w\.safetensors is not a readable weights file"):
        read_tensors(file)


TABLES = [b"epoch,a\n1,2,3\n", b"epoch,a\nx,2\n", b"epoch,a\n1,\xff\n", b"epoch,a\n1,2\n,\n", b"\n1,2\n"]


@pytest.mark.parametrize("content", TABLES)
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    table = Table(tmp_path / "val_log.csv")
    table.path.write_bytes(content)
    with pytest.raises(UserError, match=r"val_log\.csv is damaged"):
        table.keep_through(1)


@pytest.mark.parametrize("content", ['{"epoch": "x"}', '{"state": "odd"}', '{"seconds": -1}', "[]", '{"error": 1}'])
def test_a_damaged_status_is_named(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path)
    folder.status_file.write_text(content)
    with pytest.raises(UserError, match=r"status\.json is damaged"):
        folder.status()


def test_a_folder_that_is_renamed_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.remember_place()
    folder.write_status(state="running")
    folder.path.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="was renamed, moved or removed"):
        folder.write_status(state="failed")
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
