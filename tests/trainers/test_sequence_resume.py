"""A resumed run of each sequential model equals an uninterrupted one, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers_sequential import make_loader, timed_split

from evaluation.evaluator import Evaluator
from evaluation.options import EvaluationOptions
from models import MODELS, Dimensions
from trainers import TRAINERS, TrainerSetup
from trainers.randomness import Generators
from trainers.run_folder import RunFolder

RUNS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("sas", {"loss": "gbce"}, {"train_negative_sample_size": 4}),
    ("sas", {"item_codes": "jpq", "jpq_splits": 4, "jpq_centroids": 5}, {}),
    ("gru4rec", {"gru_units": 16, "num_layers": 2}, {}),
    ("hstu", {"use_time": True}, {}),
    ("tisas", {"attention_dropout": 0.2}, {}),
    ("bert", {"attention_dropout": 0.2}, {"last_mask_prob": 0.2}),
    ("meantime", {"attention_dropout": 0.2}, {}),
    ("marank", {}, {"max_len": 6}),
]


def make_trainer(folder: Path, run: tuple[str, dict[str, Any], dict[str, Any]], epochs: int, seed: int = 3) -> Any:
    code, options, of_loader = run
    kind, trainer = MODELS[code], TRAINERS["generic"]
    loader = make_loader(kind.dataloader_code, timed_split(), **of_loader)
    evaluator = Evaluator(loader, EvaluationOptions(test_negative_sampler_code=(), metric_ks=(10,)))
    generators = Generators(seed, torch.device("cpu"))
    data = loader.data
    sizes = Dimensions(data.num_items, data.num_users, loader.max_len, False, 1, *loader.training_days())
    model = kind(kind.Options(hidden_units=16, **options), sizes)
    positions, offsets = loader.split.training_positions()
    model.read_training(torch.from_numpy(data.items[positions].astype(np.int64)), torch.from_numpy(offsets))
    (folder / "models").mkdir(parents=True, exist_ok=True)
    setup = TrainerSetup(model, loader, evaluator, RunFolder(folder), generators, torch.device("cpu"), False)
    return trainer(trainer.Options(num_epochs=epochs, checkpoint_seconds=0, saturation_wait_epochs=None), setup)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_a_resumed_sequential_model_ends_in_the_same_bits(
    tmp_path: Path, run: tuple[str, dict[str, Any], dict[str, Any]]
) -> None:
    whole = make_trainer(tmp_path / "whole", run, 4)
    whole.train(resume=False)
    make_trainer(tmp_path / "cut", run, 2).train(resume=False)
    rest = make_trainer(tmp_path / "cut", run, 4, seed=99)
    rest.train(resume=True)
    assert rest.state.epoch == whole.state.epoch == 4
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(rest.model.state_dict()[name], tensor), name
    for name in ("train", "val"):
        first, other = ((tmp_path / f / "tables" / f"{name}_log.csv").read_bytes() for f in ("whole", "cut"))
        assert first == other
