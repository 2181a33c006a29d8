"""Runs of all models on a small file of purchases, made without training where possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from helpers import flags, small_options

import main
from datasets import SequenceData
from models import MODELS, FittedModel
from runs.api import configure
from runs.experiment import Experiment, load_split
from trainers.checkpoint import model_tensors, write_tensors

USERS, ITEMS = 30, 25


def purchases() -> pd.DataFrame:
    """Users, items, times and ratings; ids are words; with repeats, and with short and long histories."""
    random = np.random.default_rng(3)
    lengths = random.integers(3, 16, USERS)
    user = np.repeat(np.arange(USERS), lengths)
    count = len(user)
    return pd.DataFrame(
        {
            "user": [f"u{number:02d}" for number in user],
            "item": [f"item {number:02d}" for number in random.integers(0, ITEMS, count)],
            "rating": random.integers(1, 6, count),
            "timestamp": 1_600_000_000 + np.cumsum(random.integers(1, 90_000, count)),
        }
    )


def make_run(folder: Path, code: str, **more: Any) -> Path:
    """The folder of a run of this model, made on first use: fitted, or with random weights."""
    run = folder / "runs" / str(more.get("experiment_name", code))
    if run.exists():
        return run
    path = folder / "purchases.csv"
    if not path.exists():
        purchases().to_csv(path, index=False)
    kind = MODELS[code]
    data = {"dataset_code": "file", "dataset_path": path, "local_data_folder": folder / "Data"}
    rest = {"min_uc": 0, "min_sc": 0, "num_threads": 1, "device": "cpu", "model_code": code}
    rest["test_negative_sampler_code"] = []
    if code in ("autorec", "bias"):
        rest |= {"split": "random_rating", "best_metric": "RMSE"}
    place = {"experiment_root": folder, "experiment_group": "runs", "experiment_name": code}
    argv = flags(**{**data, **rest, **small_options(code), **place, **more})
    if issubclass(kind, FittedModel):
        assert main.run(argv) == 0
        return run
    config = configure(argv)
    experiment = Experiment.build(config)
    loader, model = experiment.loader, experiment.model
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3, generator)
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config.to_yaml())
    write_tensors(run / "models" / "best.safetensors", model_tensors(model), {"data_hash": loader.data.hash})
    return run


def data_of(folder: Path, code: str = "vae") -> SequenceData:
    """The options of the data of the runs in this folder."""
    given = {
        "model_code": code,
        "dataset_code": "file",
        "dataset_path": folder / "purchases.csv",
        "min_uc": 0,
        "min_sc": 0,
    }
    return load_split(configure(flags(**given, local_data_folder=folder / "Data"))).data
