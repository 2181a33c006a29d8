"""The model of docs/add-a-model.md is a whole file that works."""

import importlib.util
import re
from pathlib import Path

import torch
from helpers import leave_one_out, random_histories, sequence_data

from dataloaders import DATALOADERS
from models import Dimensions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-a-model.md"


def test_the_documented_model_trains(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    path = tmp_path / "mine.py"
    path.write_text(code[1])
    spec = importlib.util.spec_from_file_location("mine", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    split = leave_one_out(sequence_data(random_histories(0, 30, 12, 10), 12))
    options = DATALOADERS["sas"].Options.model_validate({"max_len": 8, "train_batch_size": 16})
    loader = DATALOADERS["sas"](options, split)
    torch.manual_seed(0)
    model = module.Mine(module.MineOptions(hidden_units=16), Dimensions(12, 30, 8))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for _ in range(5):
        for batch in loader.epoch(torch.Generator().manual_seed(1)):
            optimizer.zero_grad()
            loss, _ = model.loss(batch, 0, torch.Generator())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < losses[0] and torch.isfinite(model.items.weight).all()
