"""The split by users: who is held out, what is folded in, which items there are."""

import numpy as np
import pytest
from helpers import random_histories, sequence_data
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from datasets import SPLITS, SequenceData, Split

MAKER = SPLITS["strong_generalization"]


def make(data: SequenceData, **options: object) -> Split:
    return MAKER().make(data, MAKER.Options(**options))


def history(split: Split, row: int, phase: str = "test") -> tuple[list[int], list[int]]:
    """Original ids of the input and the targets of the row-th held-out user."""
    heldout = getattr(split, phase)
    ids = split.data.item_ids[split.data.items - 1]
    targets = heldout.targets[heldout.target_offsets[row] : heldout.target_offsets[row + 1]]
    return ids[heldout.input_start[row] : heldout.input_end[row]].tolist(), ids[targets].tolist()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    users=st.integers(20, 60),
    items=st.integers(6, 40),
    temporal=st.booleans(),
    repeats=st.booleans(),
)
def test_held_out_users_are_folded_in_and_nothing_else_trains(
    seed: int, users: int, items: int, temporal: bool, repeats: bool
) -> None:
    data = sequence_data(random_histories(seed, users, items, 30, repeats), items)
    original = {
        user: data.items[a:b] for user, a, b in zip(data.user_ids, data.offsets, data.offsets[1:], strict=False)
    }
    split = make(data, heldout_users=0.2, fold_in="temporal" if temporal else "random", split_seed=seed)
    new = split.data
    count = round(0.2 * users)
    training = np.flatnonzero(split.train_end > split.train_start)
    assert len(training) == users - 2 * count
    assert not set(training) & {*split.validation.users.tolist(), *split.test.users.tolist()}
    assert not set(split.validation.users.tolist()) & set(split.test.users.tolist())
    kept = set(new.item_ids.tolist())
    assert kept == {data.item_ids[i - 1] for u in training for i in original[new.user_ids[u]]}
    assert new.items.min() == 1 and new.items.max() == new.num_items  # dense ids
    for phase in ("validation", "test"):
        for row, user in enumerate(getattr(split, phase).users):
            inputs, targets = history(split, row, phase)
            seen_ids = data.item_ids[original[new.user_ids[user]] - 1].tolist()
            distinct = [item for item in dict.fromkeys(seen_ids) if item in kept]
            assert sorted(inputs + targets) == sorted(distinct)
            assert len(targets) == max(1, int(0.2 * len(distinct)))
            assert [i for i in distinct if i in set(inputs)] == inputs  # still in order of time
            if temporal:
                assert distinct == inputs + targets


def test_the_seed_decides_the_split() -> None:
    data = sequence_data(random_histories(1, 50, 30, 20), 30)
    first, again, other = (make(data, split_seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.test.users, again.test.users) and np.array_equal(first.test.targets, again.test.targets)
    assert not np.array_equal(first.data.items, other.data.items) or not np.array_equal(
        first.test.users, other.test.users
    )


def test_random_fold_in_takes_targets_from_everywhere() -> None:
    data = sequence_data([list(range(1, 11))] * 400, 10)
    split = make(data, heldout_users=180)
    assert len(split.test.users) == 180
    counts = np.bincount(split.data.items[split.test.targets], minlength=11)[1:]
    assert counts.min() > 180 * 2 / 10 / 2  # each place is a target in 1 of 5 users


def test_users_too_short_for_targets_are_not_evaluated() -> None:
    data = sequence_data([[1, 2, 3, 4]] * 20 + [[1, 2, 3, 4, 5]] * 20, 5)
    split = make(data, heldout_users=10)
    assert (np.diff(split.test.target_offsets) == 1).all()
    assert ((split.test.input_end - split.test.input_start) == 4).all()


def test_repeats_can_be_kept() -> None:
    data = sequence_data([[1, 1, 2, 1, 2, 3]] * 30, 3, repeat_consumption=True)
    kept = make(data, distinct_items=False)
    assert kept.data.repeat_consumption and kept.data.num_interactions == data.num_interactions
    distinct = make(data, distinct_items=True, min_heldout_items=2)
    assert not distinct.data.repeat_consumption and distinct.data.num_interactions == 90


@pytest.mark.parametrize("count", [25, 40, 0.5, 0.001])
def test_a_split_without_training_or_held_out_users_is_refused(count: float) -> None:
    with pytest.raises(UserError, match="heldout_users"):
        make(sequence_data([[1, 2, 3, 4, 5]] * 50, 5), heldout_users=count)


def test_a_number_of_users_is_whole() -> None:
    with pytest.raises(ValueError, match="whole number of users, or a share below 1"):
        MAKER.Options(heldout_users=1.5)
