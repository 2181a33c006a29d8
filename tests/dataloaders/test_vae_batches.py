"""Batches of dataloader `vae`: weights, repeats, targets, and agreement of training and evaluation."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data
from hypothesis import given, settings
from hypothesis import strategies as st

from dataloaders import DATALOADERS, Batch, Dataloader
from dataloaders.vae import combine_repeats, has_repeats, position_weights
from datasets import SequenceData

TYPES = ("exp_stair", "exp", "linear", "constant")


def plain_weight(kind: str, c: float, j: int, length: int) -> float:
    """The formulas of the paper's code: j = 0 is the window's last item."""
    if kind == "exp_stair":
        return c ** -math.floor(math.log2(j + 0.5))
    if kind == "exp":
        return c ** -math.log2(j + 0.5)
    return c * (length - j) / length if kind == "linear" else c


def loader(data: SequenceData, **options: Any) -> Dataloader:
    kind = DATALOADERS["vae"]
    return kind(kind.Options.model_validate({"max_len": 6, "train_batch_size": 4, **options}), leave_one_out(data))


def whole_epoch(made: Dataloader) -> Batch:
    """All training windows in one batch, in their order."""
    return made.training_batch(made.windows, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("c", [2.0, 1.0, 1.3])
@pytest.mark.parametrize("length", [2, 7, 128])
def test_position_weights(kind: Any, c: float, length: int) -> None:
    expected = [plain_weight(kind, c, j, length) for j in range(length - 1, -1, -1)]
    np.testing.assert_allclose(position_weights(kind, c, length), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "c"), [("exp_stair", 1e-7), ("exp", 1e-8), ("constant", 1e40), ("constant", 1e20), ("linear", 1e-40)]
)
def test_weights_outside_float32_are_refused(kind: str, c: float) -> None:
    with pytest.raises(ValueError, match=r"weight_constant .* gives weights from"):
        DATALOADERS["vae"].Options.model_validate({"weight_type": kind, "weight_constant": c})
    DATALOADERS["vae"].Options.model_validate({"weight_type": kind, "weight_constant": 1e3})


def test_exp_stair_is_as_published() -> None:
    """c for the target, then 1, then 1/c for two items, then 1/c^2 for four."""
    assert position_weights("exp_stair", 2.0, 8)[::-1].tolist() == [2, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from(["sum", "last"]))
def test_combine_repeats(rows: int, length: int, seed: int, how: str) -> None:
    random = np.random.default_rng(seed)
    items = random.integers(0, 5, (rows, length)).astype(np.int32)
    weights = random.uniform(0.1, 3, (rows, length)).astype(np.float32)
    got = combine_repeats(items, weights, how)
    assert got.dtype == np.float32 and got.shape == items.shape
    for row in range(rows):
        total: dict[int, float] = {}
        for item, weight in zip(items[row].tolist(), weights[row].tolist(), strict=True):
            total[item] = total.get(item, 0.0) + weight if how == "sum" else weight
        kept = {int(items[row, j]): float(got[row, j]) for j in range(length) if got[row, j] != 0}
        assert (got[row] != 0).sum() == len(total)  # each item once
        assert kept == pytest.approx(total, rel=1e-6)


@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=5))
def test_has_repeats(histories: list[list[int]]) -> None:
    data = sequence_data(histories)
    assert has_repeats(data.items, data.offsets) == any(len(set(h)) < len(h) for h in histories)


@pytest.mark.parametrize("kind", TYPES)
def test_training_batch_is_as_in_the_paper(kind: str) -> None:
    histories = random_histories(1, 9, 30, 14)
    made = loader(sequence_data(histories, num_items=30), weight_type=kind, weight_constant=1.5, train_window=2)
    batch = whole_epoch(made)
    assert batch.targets is not None and batch.target_weights is not None and batch.weights is not None
    for row, (user, start, end) in enumerate(zip(made.windows.user, made.windows.start, made.windows.end, strict=True)):
        window = histories[user][: len(histories[user]) - 2]
        first = int(made.data.offsets[user])
        window = window[start - first : end - first]
        padding = 6 - len(window)
        assert batch.users[row] == user
        assert batch.targets[row].tolist() == [0] * padding + window
        assert batch.items[row].tolist() == ([0] * padding + window)[:-1]
        expected = [0.0] * padding + [plain_weight(kind, 1.5, j, 6) for j in range(len(window) - 1, -1, -1)]
        np.testing.assert_allclose(batch.target_weights[row], expected, rtol=1e-6)
        np.testing.assert_allclose(batch.weights[row], expected[:-1], rtol=1e-6)
    assert batch.items.dtype == batch.targets.dtype == torch.int64
    assert batch.weights.dtype == batch.target_weights.dtype == torch.float32


def test_target_is_not_in_the_input() -> None:
    """Without repeats, neither a window's last item nor a held-out one is in its input."""
    histories = random_histories(2, 12, 40, 15)
    made = loader(sequence_data(histories, num_items=40), train_window=1)
    batch = whole_epoch(made)
    assert batch.targets is not None
    last = batch.targets[:, -1:]
    assert (last > 0).all() and not (batch.items == last).any()
    for user, row in zip(batch.users.tolist(), batch.targets.tolist(), strict=True):
        assert not set(histories[user][-2:]) & set(row)


def test_weights_agree_between_training_and_evaluation() -> None:
    """Items at the same distance from the target have the same weight."""
    histories = [list(range(1, 13))]
    made = loader(sequence_data(histories))
    training = whole_epoch(made)
    (evaluated,) = made.evaluation(made.split.test, 10)
    assert training.weights is not None and evaluated.inputs.weights is not None
    assert training.items.shape[1] == evaluated.inputs.items.shape[1] == 5
    assert torch.equal(training.weights[0], evaluated.inputs.weights[0])
    assert evaluated.inputs.items[0].tolist() == [7, 8, 9, 10, 11]
    assert evaluated.targets.tolist() == [[12]]


@pytest.mark.parametrize("how", ["sum", "last"])
def test_repeated_items_count_once_in_the_input(how: str) -> None:
    made = loader(sequence_data([[1, 2, 1, 3, 1, 4, 9, 9]], num_items=9), repeat_weights=how, weight_type="linear")
    batch = whole_epoch(made)
    assert batch.weights is not None and batch.target_weights is not None
    w = [2 * (6 - j) / 6 for j in (5, 4, 3, 2, 1)]
    one = w[0] + w[2] + w[4] if how == "sum" else w[4]
    np.testing.assert_allclose(batch.weights[0], [0, w[1], 0, w[3], one], rtol=1e-6)
    np.testing.assert_allclose(batch.target_weights[0], [*w, 2], rtol=1e-6)  # each position is still a target


@pytest.mark.parametrize("count_padding", [False, True])
def test_padding_counts_only_with_count_padding(count_padding: bool) -> None:
    made = loader(sequence_data([[1, 2, 3, 4, 5]], num_items=5), count_padding=count_padding, weight_type="constant")
    batch = whole_epoch(made)
    assert batch.weights is not None and batch.target_weights is not None
    assert made.pad_counts == count_padding
    assert batch.items[0].tolist() == [0, 0, 0, 1, 2]
    expected = [0, 0, 6, 2, 2] if count_padding else [0, 0, 0, 2, 2]  # the three PADs are one item, with their sum
    assert sorted(batch.weights[0].tolist()) == sorted(expected)
    assert batch.target_weights[0].tolist() == ([2] * 6 if count_padding else [0, 0, 0, 2, 2, 2])


def test_augmentation_halves_and_doubles() -> None:
    data = sequence_data(random_histories(3, 300, 60, 14), num_items=60)
    plain = whole_epoch(loader(data))
    for share in (1.0, 0.4):
        batch = whole_epoch(loader(data, aug_prob=share))
        assert batch.weights is not None and plain.weights is not None
        used = plain.weights > 0
        factor = batch.weights[used] / plain.weights[used]
        assert set(factor.tolist()) <= {0.5, 1.0, 2.0}
        assert (factor == 2).float().mean().item() == pytest.approx(share / 2, abs=0.05)
        assert (factor == 0.5).float().mean().item() == pytest.approx(share / 2, abs=0.05)
        assert torch.equal(batch.target_weights, plain.target_weights)  # type: ignore[arg-type]


def test_an_epoch_visits_every_window_once() -> None:
    made = loader(sequence_data(random_histories(4, 10, 30, 20), num_items=30), train_window=1)
    batches = list(made.epoch(torch.Generator().manual_seed(1)))
    assert len(batches) == made.batches_per_epoch()
    assert all(len(b.users) == 4 for b in batches[:-1])
    rows = sorted(tuple(row) for b in batches for row in b.targets.tolist())  # type: ignore[union-attr]
    assert rows == sorted(tuple(row) for row in whole_epoch(made).targets.tolist())  # type: ignore[union-attr]


def test_generator_decides_the_order() -> None:
    made = loader(sequence_data(random_histories(4, 10, 30, 20), num_items=30), train_window=1)

    def order(seed: int) -> list[Any]:
        return [b.targets.tolist() for b in made.epoch(torch.Generator().manual_seed(seed))]  # type: ignore[union-attr]

    assert order(1) == order(1)
    assert order(1) != order(2)


@pytest.mark.parametrize("code", ["vae", "plain"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("phase", ["validation", "test"])
def test_evaluation_batches(code: str, batch_size: int, phase: str) -> None:
    """Targets, seen items and input of each user come from the user's own history, in any order of users."""
    histories = random_histories(5, 11, 30, 14)
    data = sequence_data([*histories, [1, 2]], num_items=30)  # one history is too short for evaluation
    kind = DATALOADERS[code]
    made = kind(kind.Options.model_validate({"max_len": 6}), leave_one_out(data))
    width = 5 if code == "vae" else 6
    rows = []
    for batch in made.evaluation(getattr(made.split, phase), batch_size):
        assert len(batch.rows) <= batch_size
        for n, row in enumerate(batch.rows.tolist()):
            rows.append(row)
            before = histories[row][: -2 if phase == "validation" else -1]
            target = histories[row][-2 if phase == "validation" else -1]
            assert batch.inputs.users[n] == row
            assert batch.targets[n].tolist() == [target]
            assert [item for item in batch.seen[n].tolist() if item] == before
            assert [item for item in batch.inputs.items[n].tolist() if item] == before[-width:]
            assert batch.inputs.targets is None
    assert sorted(rows) == list(range(11))


def test_training_item_counts() -> None:
    histories = random_histories(6, 20, 15, 10, repeats=True)
    made = loader(sequence_data(histories, num_items=15))
    counts = [0] * 16
    for history in histories:
        for item in history[:-2]:
            counts[item] += 1
    assert made.training_item_counts().tolist() == counts


def test_all_tensors_of_a_batch_move() -> None:
    made = loader(sequence_data(random_histories(4, 5, 30, 9), num_items=30))
    batch = whole_epoch(made)
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    for name in ("users", "items", "weights", "targets", "target_weights"):
        assert getattr(moved, name).device.type == "meta"
    assert moved.timestamps is None
