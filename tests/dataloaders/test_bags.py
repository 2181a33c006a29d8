"""Bags of users' items: trimmed, each item once, the label is the input."""

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data

from dataloaders import DATALOADERS, Dataloader

HISTORIES = [[1, 2, 1, 3, 1, 2], [4, 4, 4, 5, 6], [2, 3, 4]]


def loader(histories: list[list[int]], **options: object) -> Dataloader:
    kind = DATALOADERS["bag"]
    return kind(kind.Options(**options), leave_one_out(sequence_data(histories, repeat_consumption=True)))


def bag(items: torch.Tensor, weights: torch.Tensor) -> list[dict[int, float]]:
    return [
        {int(i): float(w) for i, w in zip(row, of, strict=True) if w != 0}
        for row, of in zip(items, weights, strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [{1: 1, 2: 1, 3: 1}, {4: 1}, {2: 1}]),
        ({"bag_weights": "count"}, [{1: 2, 2: 1, 3: 1}, {4: 3}, {2: 1}]),
        ({"max_input_items": 2}, [{1: 1, 3: 1}, {4: 1}, {2: 1}]),
        ({"max_input_items": 3}, [{1: 1, 2: 1, 3: 1}, {4: 1}, {2: 1}]),
    ],
)
def test_training_rows_hold_each_item_once(options: dict[str, object], expected: list[dict[int, float]]) -> None:
    made = loader(HISTORIES, **options)
    batch = next(made.epoch(torch.Generator().manual_seed(0)))
    order = batch.users.argsort()
    assert batch.targets is batch.items and batch.target_weights is batch.weights
    assert bag(batch.items[order], batch.weights[order]) == expected


def test_evaluation_inputs_are_what_comes_before_the_target() -> None:
    made = loader(HISTORIES)
    (batch,) = made.evaluation(made.split.test, 10)
    found = dict(zip(batch.inputs.users.tolist(), bag(batch.inputs.items, batch.inputs.weights), strict=True))
    assert found == {0: {1: 1, 2: 1, 3: 1}, 1: {4: 1, 5: 1}, 2: {2: 1, 3: 1}}


def test_rows_are_as_long_as_the_longest_of_the_batch() -> None:
    made = loader(random_histories(0, 40, 50, 45), train_batch_size=8)
    lengths = made.split.train_end - made.split.train_start
    for batch in made.epoch(torch.Generator().manual_seed(0)):
        assert batch.items.shape[1] == lengths[batch.users.numpy()].max()


def test_users_without_training_items_have_no_row() -> None:
    from datasets import SPLITS  # noqa: PLC0415

    maker = SPLITS["strong_generalization"]
    split = maker().make(sequence_data(random_histories(0, 50, 20, 15), 20), maker.Options())
    kind = DATALOADERS["bag"]
    made = kind(kind.Options(), split)
    batch = next(made.epoch(torch.Generator()))
    assert np.array_equal(np.sort(batch.users.numpy()), np.flatnonzero(split.train_end > split.train_start))
