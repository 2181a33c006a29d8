"""Batches of sequences: shifted targets, masks, negatives, buckets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data
from helpers_sequential import NUM_ITEMS, first_batch, make_loader, make_model, timed_split

from common.errors import UserError
from dataloaders import Batch
from dataloaders.bert import cloze_mask
from dataloaders.training_negatives import SharedNegatives, TrainingNegatives, sampling_weights
from models.base import Model


def test_targets_are_the_next_items_and_never_held_out() -> None:
    histories = [[1, 2, 3, 4, 5], [6, 7, 8]]
    split = leave_one_out(sequence_data(histories, 10))
    loader = make_loader("sas", split, train_negative_sample_size=0)
    batches = list(loader.epoch(torch.Generator().manual_seed(0)))
    assert len(batches) == 1  # the second user has one training item: nothing to predict
    assert batches[0].items.tolist() == [[1, 2]] and batches[0].targets.tolist() == [[2, 3]]
    test = next(loader.evaluation(split.test, 8))
    assert sorted(test.inputs.items.tolist()) == [[0, 0, 6, 7], [1, 2, 3, 4]]


def test_windows_cut_histories_and_next_times_are_of_targets() -> None:
    split = timed_split([list(range(1, 21))])
    loader = make_loader("sas", split, max_len=5, train_negative_sample_size=0)
    batch = first_batch(loader)
    assert batch.items.tolist() == [[13, 14, 15, 16, 17]] and batch.targets.tolist() == [[14, 15, 16, 17, 18]]
    times = split.data.timestamps
    assert batch.timestamps.tolist() == [times[12:17].tolist()]
    assert batch.next_timestamps.tolist() == [times[13:18].tolist()]


@pytest.mark.parametrize("request_time, place", [("target", -1), ("last", -2)])
def test_the_time_of_the_request_is_an_option(request_time: str, place: int) -> None:
    split = timed_split([list(range(1, 9))])
    heldout = split.test
    for code in ("sas", "bert"):
        loader = make_loader(code, split, request_time=request_time)
        batch = loader.inputs(heldout.users, heldout.input_start, heldout.input_end)
        asked = batch.request_times if code == "bert" else batch.next_timestamps[:, -1]
        assert asked.tolist() == [split.data.timestamps[place]]


def test_data_in_which_nobody_has_two_training_items_is_refused() -> None:
    split = leave_one_out(sequence_data([[1, 2, 3], [4, 5, 6]], 10))
    with pytest.raises(UserError, match="2 training items"):
        make_loader("sas", split)


def losses(model: Model, batches: list[Batch]) -> list[float]:
    return [model.loss(batch, 0, torch.Generator())[0].item() for batch in batches]


@pytest.mark.parametrize("code", ["sas", "bert"])
def test_buckets_visit_every_window_once_with_less_padding(code: str) -> None:
    split = leave_one_out(sequence_data(random_histories(1, 200, NUM_ITEMS, 30), NUM_ITEMS))
    padding = {}
    for buckets in (1, 8):
        loader = make_loader(code, split, max_len=30, bucket_batches=buckets)
        rows = loader.epoch_batches(torch.Generator().manual_seed(0))
        assert sorted(np.concatenate(rows).tolist()) == list(range(len(loader.windows)))
        assert len(rows) == loader.batches_per_epoch()
        batches = list(loader.epoch(torch.Generator().manual_seed(0)))
        assert all((batch.items > 0).any(0).all() for batch in batches)  # no column is only padding
        padding[buckets] = sum((batch.items == 0).sum().item() for batch in batches)
    assert padding[8] < padding[1] / 2


def test_a_trimmed_batch_has_the_loss_of_a_fully_padded_one() -> None:
    split = leave_one_out(sequence_data(random_histories(1, 30, NUM_ITEMS, 9), NUM_ITEMS))
    loader = make_loader("sas", split, max_len=20, train_negative_sample_size=0)
    model = make_model("sas", loader, {})
    rows = loader.epoch_batches(torch.Generator().manual_seed(0))[0]
    trimmed = loader.training_batch(loader.windows.take(rows), torch.Generator())
    missing = 20 - trimmed.items.shape[1]
    full = Batch(
        users=trimmed.users,
        items=torch.nn.functional.pad(trimmed.items, (missing, 0)),
        targets=torch.nn.functional.pad(trimmed.targets, (missing, 0)),
    )
    assert missing > 0
    gradients = []
    for batch in (trimmed, full):
        model.zero_grad()
        model.loss(batch, 0, torch.Generator())[0].backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert losses(model, [trimmed]) == pytest.approx(losses(model, [full]))
    for short, long in zip(*gradients, strict=True):
        torch.testing.assert_close(short, long)


@pytest.mark.parametrize("sampler", ["random", "popular"])
def test_negatives_are_no_training_items_and_follow_weights(sampler: str) -> None:
    split = leave_one_out(sequence_data(random_histories(5, 12, 30, 12), 30))
    loader = make_loader("sas", split)
    counts = loader.training_item_counts()
    weights = sampling_weights(sampler, counts)
    negatives = TrainingNegatives(split, weights)
    users = np.arange(split.data.num_users)
    drawn = negatives.draw(users, (400, 50), torch.Generator().manual_seed(0))
    log_q = negatives.log_probabilities(users, drawn)
    for user in users:
        own = split.data.items[split.train_start[user] : split.train_end[user]]
        left = weights.astype(float)
        left[own] = 0
        chance = left / left.sum()
        found = np.bincount(drawn[user].ravel(), minlength=31) / 20_000
        assert found[own].sum() == 0 and found[0] == 0
        np.testing.assert_allclose(found, chance, atol=5 * np.sqrt(0.25 / 20_000))
        np.testing.assert_allclose(np.exp(log_q[user]), chance[drawn[user]], rtol=1e-5)


def test_held_out_items_may_be_negatives() -> None:
    split = leave_one_out(sequence_data([[1, 2, 3, 4, 5]], 6))
    drawn = TrainingNegatives(split, sampling_weights("random", np.arange(7))).draw(
        np.array([0]), (300,), torch.Generator().manual_seed(0)
    )
    assert set(drawn.ravel().tolist()) == {4, 5, 6}


def test_a_user_of_all_items_has_no_negatives_but_a_loss() -> None:
    split = leave_one_out(sequence_data([[1, 2, 3, 1, 2], [1, 3, 3, 2]], 3))
    for options in ({"share_negatives": False}, {"share_negatives": True}):
        loader = make_loader("sas", split, train_negative_sample_size=3, **options)
        batch = first_batch(loader)
        everything = batch.users == 0
        assert (batch.negatives[everything] == 0).all() and (batch.negatives[~everything] == 2).all()
        for loss in ("bce", "gbce", "sampled_ce"):
            value = make_model("sas", loader, {"loss": loss}).loss(batch, 0, torch.Generator())[0]
            value.backward()
            assert value.isfinite()


def test_shared_negatives_give_the_loss_of_equal_ones() -> None:
    loader = make_loader("sas", timed_split(), train_negative_sample_size=4, share_negatives=True)
    shared = first_batch(loader)
    assert shared.negatives.shape[1] == 1
    length = shared.items.shape[1]
    each = Batch(
        users=shared.users,
        items=shared.items,
        targets=shared.targets,
        negatives=shared.negatives.expand(-1, length, -1),
        negative_log_q=shared.negative_log_q.expand(-1, length, -1),
    )
    for loss in ("bce", "gbce", "sampled_ce"):
        model = make_model("sas", loader, {"loss": loss})
        assert losses(model, [shared]) == pytest.approx(losses(model, [each]))


@pytest.mark.parametrize("sampler", ["random", "popular", "in_batch"])
def test_negatives_of_a_batch_give_the_loss_of_equal_ones(sampler: str) -> None:
    options = {"share_negatives": "batch", "train_negative_sampler_code": sampler}
    loader = make_loader("sas", timed_split(), train_negative_sample_size=4, **options)
    shared = first_batch(loader)
    count, length = shared.items.shape
    assert shared.negatives.shape[:2] == (1, 1)
    size = shared.negatives.shape[2]
    negatives = shared.negatives.expand(count, length, size)
    each = dataclasses.replace(
        shared,
        negatives=negatives.masked_fill(negatives == shared.targets[:, :, None], 0),
        negative_log_q=shared.negative_log_q.expand(count, length, size),
    )
    model = make_model("sas", loader, {"loss": "sampled_ce"})
    assert losses(model, [shared]) == pytest.approx(losses(model, [each]))
    parts = shared.split(length)  # a window each
    assert len(parts) == count and all(torch.equal(part.negatives, shared.negatives) for part in parts)


def test_negatives_of_a_batch_follow_the_power_of_popularity() -> None:
    counts = np.array([0, 1, 16, 81, 0])
    negatives = SharedNegatives(sampling_weights("popular", counts, 0.5), in_batch=False)
    drawn, log_q = negatives.draw(np.array([1]), 20_000, torch.Generator().manual_seed(0))
    chance = np.array([0, 1, 4, 9, 0]) / 14
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 20_000, chance, atol=0.02)
    np.testing.assert_allclose(np.exp(log_q), chance[drawn], rtol=1e-5)


DRAWS: list[tuple[str, str, dict[str, int]]] = [
    ("sas", "negatives", {"train_negative_sample_size": 1}),
    ("bert", "targets", {}),
    ("pairwise", "negatives", {}),
]


def test_negatives_and_masks_are_fresh_and_repeatable() -> None:
    for code, field, options in DRAWS:
        loader = make_loader(code, timed_split(), train_batch_size=100, **options)
        one, again = (getattr(first_batch(loader, seed=1), field) for _ in range(2))
        assert torch.equal(one, again)
        assert not torch.equal(one, getattr(first_batch(loader, seed=2), field))


@pytest.mark.parametrize(("code", "field", "options"), DRAWS)
def test_each_batch_and_each_epoch_has_draws_of_its_own(code: str, field: str, options: dict[str, int]) -> None:
    histories = [[*range(1, 9)] for _ in range(8)]  # all windows alike: batches differ by their draws alone
    loader = make_loader(code, leave_one_out(sequence_data(histories, NUM_ITEMS)), train_batch_size=4, **options)
    generator = torch.Generator().manual_seed(1)
    drawn = [getattr(batch, field) for _ in range(3) for batch in loader.epoch(generator)]
    assert len({tuple(draw.flatten().tolist()) for draw in drawn}) == len(drawn) == 6


def test_days_are_those_of_training_interactions() -> None:
    times = np.array([0, 1, 2, 50, 60], dtype=np.int64) * 86_400
    split = leave_one_out(sequence_data([[1, 2, 3, 4, 5]], NUM_ITEMS, timestamps=times))
    assert make_loader("bert", split).training_days() == (0, 3)  # days 50 and 60 are validation's and test's


def test_cloze_masks_hide_at_least_one_item_and_no_padding() -> None:
    real = torch.arange(12) >= torch.arange(12)[:, None]  # rows of 12, 11, ..., 1 items
    real = torch.cat([real.repeat(200, 1), torch.zeros(1, 12, dtype=torch.bool)])
    hidden = cloze_mask(real, 0.3, 0.0, torch.Generator().manual_seed(0))
    assert hidden[:-1].any(1).all() and not (hidden & ~real).any() and not hidden[-1].any()
    full = hidden[:-1:12]  # rows of 12 items
    expected = 0.3 + 0.7**12 / 12
    assert full.double().mean().item() == pytest.approx(expected, abs=0.04)


def test_cloze_masks_of_the_last_item_only() -> None:
    real = torch.ones(2000, 6, dtype=torch.bool)
    hidden = cloze_mask(real, 0.5, 0.4, torch.Generator().manual_seed(0))
    only_last = (hidden.sum(1) == 1) & hidden[:, -1]
    assert only_last.double().mean().item() == pytest.approx(0.4 + 0.6 * 0.5**6 * (1 + 1 / 6), abs=0.04)
    assert cloze_mask(real, 0.5, 1.0, torch.Generator())[:, -1].all()


def test_pairs_cover_all_training_positions_but_the_first() -> None:
    histories = [[1, 2, 3, 4, 5, 6, 7, 8]]
    split = leave_one_out(sequence_data(histories, 12))
    loader = make_loader("pairwise", split, max_len=3, train_window=2)
    generator = torch.Generator().manual_seed(0)
    seen = [batch for _ in range(40) for batch in loader.epoch(generator)]
    targets = {target for batch in seen for target in batch.targets.ravel().tolist()}
    assert targets == {2, 3, 4, 5, 6}
    for batch in seen:
        for items, target in zip(batch.items.tolist(), batch.targets.ravel().tolist(), strict=True):
            assert items == [max(0, target - 3), max(0, target - 2), target - 1]
