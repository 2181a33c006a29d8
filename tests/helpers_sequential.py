"""Small data, loaders and models for the tests of the sequential family."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from helpers import leave_one_out, random_histories, sequence_data

from dataloaders import DATALOADERS, Batch, Dataloader
from datasets import Split
from models import MODELS, Dimensions, Model

NUM_ITEMS = 40
CAUSAL = [
    ("sas", {}),
    ("sas", {"positions_from": "start"}),
    ("sas", {"residual": "plain", "norm": "rms"}),
    ("esas", {}),
    ("gru4rec", {"item_bias": True, "normalize_logits": True, "temperature": 0.2}),
    ("lrurec", {}),
    ("fmlp", {}),
    ("bsarec", {}),
    ("gru4rec", {"gru_units": 16}),
    ("hstu", {}),
    ("hstu", {"use_time": True}),
    ("narm", {"gru_units": 16}),
    ("caser", {"horizontal_filters": 3}),
    ("duorec", {"dropout_weight": 0.0, "target_weight": 0.0}),
    ("mamba4rec", {"state_size": 4}),
    ("fuxi", {}),
    ("fuxi", {"use_time": True, "normalize_logits": True, "temperature": 0.05, "num_heads": 2}),
    ("tisas", {}),
]
CLOZE = [
    ("bert", {}),
    ("meantime", {}),
    ("meantime", {"absolute_kernel_types": "c", "relative_kernel_types": "e"}),
]


def timed_split(histories: list[list[int]] | None = None, same_time: bool = False) -> Split:
    """Leave-one-out over small histories with timestamps: seconds, days and ties; or the same second for all."""
    if histories is None:
        histories = random_histories(3, 20, NUM_ITEMS, 14)
    random = np.random.default_rng(7)
    gaps = [random.choice([0, 1, 50, 4000, 200_000], len(history)) for history in histories]
    times = np.concatenate([1_000_000_000 + np.cumsum(gap) * (not same_time) for gap in gaps])
    return leave_one_out(sequence_data(histories, NUM_ITEMS, timestamps=times.astype(np.int64)))


def make_loader(code: str, split: Split, **options: Any) -> Dataloader:
    """A dataloader of 8-item sequences (6 for marank) in batches of 8."""
    kind = DATALOADERS[code]
    return kind(kind.Options(**{"max_len": 8, "train_batch_size": 8, **options}), split)


def make_model(code: str, loader: Dataloader, options: dict[str, Any], seed: int = 0) -> Model:
    """A small model in float64 and evaluation mode, with parameters large enough to make all of it matter."""
    torch.manual_seed(seed)
    kind = MODELS[code]
    data = loader.data
    dimensions = Dimensions(data.num_items, data.num_users, loader.max_len, False, 1, *loader.training_days())
    sizes = {"hidden_units": 16}
    model = kind(kind.Options(**{**sizes, **options}), dimensions).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64) * 0.3)
        for name, parameter in model.named_parameters():
            if name in ("items.weight", "context.weight", "lasting.weight"):
                parameter[0] = 0
    return model


def first_batch(loader: Dataloader, seed: int = 0) -> Batch:
    """The first training batch of an epoch."""
    return next(loader.epoch(torch.Generator().manual_seed(seed)))
