"""Leave-one-out against its definition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets
from common.errors import UserError
from datasets.sequence_data import Heldout, SequenceData, Split


def make(lengths: list[int]) -> SequenceData:
    """A dataset with users of these lengths, whose items are numbered consecutively."""
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    items = np.arange(1, offsets[-1] + 1, dtype=np.int32)
    return SequenceData(
        "x",
        items,
        offsets,
        None,
        None,
        np.arange(len(lengths)),
        np.arange(len(items)),
        "hash",
        repeat_consumption=False,
    )


def split(data: SequenceData) -> Split:
    return datasets.split(data, "leave_one_out", datasets.SPLITS["leave_one_out"].Options())


def cases(data: SequenceData, heldout: Heldout) -> dict[int, tuple[list[int], list[int]]]:
    """user -> (input items, target items)"""
    result = {}
    for row, user in enumerate(heldout.users.tolist()):
        targets = heldout.targets[heldout.target_offsets[row] : heldout.target_offsets[row + 1]]
        inputs = data.items[heldout.input_start[row] : heldout.input_end[row]]
        result[user] = (inputs.tolist(), data.items[targets].tolist())
    return result


@given(st.lists(st.integers(1, 7), min_size=1, max_size=12).filter(lambda lengths: max(lengths) >= 3))
def test_each_users_last_two_are_held_out(lengths: list[int]) -> None:
    data = make(lengths)
    result = split(data)
    validation, test = cases(data, result.validation), cases(data, result.test)
    for user, length in enumerate(lengths):
        history = data.items[data.offsets[user] : data.offsets[user + 1]].tolist()
        trained = data.items[result.train_start[user] : result.train_end[user]].tolist()
        if length < 3:
            assert trained == history
            assert user not in validation
            assert user not in test
        else:
            assert trained == history[:-2]
            assert validation[user] == (history[:-2], history[-2:-1])
            assert test[user] == (history[:-1], history[-1:])


def test_too_short_histories_are_an_error() -> None:
    with pytest.raises(UserError, match="at least 3"):
        split(make([2, 1]))


def test_arrays_are_int64(tmp_path: Path) -> None:
    result = split(make([4, 2, 3]))
    arrays = [result.train_start, result.train_end]
    for heldout in (result.validation, result.test):
        arrays += [heldout.users, heldout.input_start, heldout.input_end, heldout.targets, heldout.target_offsets]
    assert {array.dtype for array in arrays} == {np.dtype(np.int64)}
