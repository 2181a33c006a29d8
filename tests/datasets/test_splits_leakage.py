"""No split of any dataset leaks held-out interactions, and the leakage check finds planted leaks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from generated_files import USERS, make

import datasets
from dataloaders import DATALOADERS
from datasets.sequence_data import Heldout, SequenceData, Split
from datasets.splits.leakage import check_leakage, future_shares, training_mask

DATA: dict[str, SequenceData] = {}

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((code, {}) for code in datasets.SPLITS),
    *(("global_time", {"targets": targets}) for targets in ("all", "next")),
    ("global_time", {"cold_users": "keep", "cold_items": "keep"}),
    ("global_time", {"validation_share": 0.3, "test_share": 0.3, "targets": "all", "cold_users": "keep"}),
    *(("ratio", {"targets": targets}) for targets in ("last", "next")),
    ("ratio", {"validation_share": 0.4, "test_share": 0.4}),
    ("strong_generalization", {"fold_in": "temporal"}),
    ("strong_generalization", {"distinct_items": False, "min_heldout_items": 2}),
]
VARIANT_NAMES = ["-".join([code, *map(str, options.values())]) for code, options in VARIANTS]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SequenceData]:
    """Small data in the format of each dataset, loaded once."""

    def load_once(code: str) -> SequenceData:
        if code not in DATA:
            DATA[code] = datasets.load(code, make(code, tmp_path_factory.mktemp(code)))
        return DATA[code]

    return load_once


def make_split(data: SequenceData, code: str, options: dict[str, Any]) -> Split:
    if code == "strong_generalization":
        options = {"heldout_users": 0.2, **options}
    if code == "files":  # as if the data came with the parts of leave-one-out
        from_end = np.repeat(data.offsets[1:], data.lengths) - np.arange(data.num_interactions)
        data = replace(data, parts=np.maximum(3 - from_end, 0).astype(np.int8))
    return datasets.split(data, code, datasets.SPLITS[code].Options(**options))


@pytest.mark.parametrize(("split_code", "options"), VARIANTS, ids=VARIANT_NAMES)
@pytest.mark.parametrize("code", datasets.DATASETS)
def test_no_split_of_any_dataset_leaks(
    load: Callable[[str], SequenceData], code: str, split_code: str, options: dict[str, Any]
) -> None:
    data = load(code)
    if split_code == "random_rating" and data.ratings is None:
        pytest.skip(f"{code} has no ratings")
    split = make_split(data, split_code, options)
    assert check_leakage(split) == []
    assert len(split.validation.users) > 0
    assert len(split.test.users) > 0
    assert training_mask(split).any()


@pytest.mark.parametrize("code", datasets.DATASETS)
def test_generated_files_suit_every_split(load: Callable[[str], SequenceData], code: str) -> None:
    data = load(code)
    assert data.timestamps is not None
    assert 0.8 * USERS < data.num_users <= USERS


@pytest.mark.parametrize(("split_code", "options"), VARIANTS, ids=VARIANT_NAMES)
def test_statistics_use_only_training_rows(
    load: Callable[[str], SequenceData], split_code: str, options: dict[str, Any]
) -> None:
    """Held-out rows don't change the item counts that models and negative samplers use."""
    split = make_split(load("ml-1m"), split_code, options)
    held = ~training_mask(split)
    items = np.array(split.data.items)
    items[held] = 1 + (items[held] + 3) % split.data.num_items
    other = replace(split, data=replace(split.data, items=items))
    counts = []
    for version in (split, other):
        loader = DATALOADERS["bag"](DATALOADERS["bag"].Options(), version)
        counts.append(loader.training_item_counts())
        assert counts[-1].sum() == training_mask(split).sum()
    np.testing.assert_array_equal(*counts)


def plain_split() -> Split:
    """Three users, one after another, with ten interactions a second apart and half a minute between users."""
    times = np.concatenate([np.arange(10) + 40 * user for user in range(3)]).astype(np.int64)
    data = SequenceData(
        name="plain",
        items=(np.arange(30, dtype=np.int32) % 10) + 1,
        offsets=np.array([0, 10, 20, 30]),
        timestamps=times,
        ratings=None,
        user_ids=np.arange(3),
        item_ids=np.arange(10),
        hash="",
        repeat_consumption=False,
    )
    split = make_split(data, "leave_one_out", {})
    assert check_leakage(split) == []
    return split


def changed(array: np.ndarray[Any, np.dtype[Any]], place: int, by: int) -> np.ndarray[Any, np.dtype[Any]]:
    result = np.array(array)
    result[place] += by
    return result


def heldout(split: Split, **fields: Any) -> Heldout:
    return replace(split.test, **fields)


PLANTED: dict[str, tuple[Callable[[Split], Split], str]] = {
    "target in training": (
        lambda s: replace(s, train_end=changed(s.train_end, 1, 1)),
        "validation: 1 target (18) in training",
    ),
    "target in the input": (
        lambda s: replace(s, test=heldout(s, input_end=changed(s.test.input_end, 2, 1))),
        "test: 1 target (29) in the input",
    ),
    "target of both phases": (
        lambda s: replace(s, test=heldout(s, targets=changed(s.test.targets, 0, -1), input_end=s.test.input_end - 1)),
        "1 target (8) of both validation and test",
    ),
    "training newer than targets": (
        lambda s: replace(s, data=replace(s.data, timestamps=changed(s.data.timestamps, 3, 20))),  # type: ignore[arg-type]
        "training of 1 user (0) is newer than the user's targets",
    ),
    "input newer than targets": (
        lambda s: replace(s, data=replace(s.data, timestamps=changed(s.data.timestamps, 8, 20))),  # type: ignore[arg-type]
        "test: input of 1 user (0) is newer than the user's targets",
    ),
    "training on another user's rows": (
        lambda s: replace(s, train_start=changed(s.train_start, 1, -5)),
        "training of 1 user (1) is not within the user's history",
    ),
    "input of another user": (
        lambda s: replace(s, test=heldout(s, input_start=changed(s.test.input_start, 1, -1))),
        "test: the input of 1 user (1) is not within the user's history",
    ),
    "target of another user": (
        lambda s: replace(s, test=heldout(s, targets=changed(s.test.targets, 0, 5), input_end=s.test.input_end - 2)),
        "test: 1 target (14) not within the user's history",
    ),
    "user twice": (
        lambda s: replace(s, test=heldout(s, users=np.array([0, 1, 1]))),
        "test: a user occurs twice",
    ),
    "unknown user": (
        lambda s: replace(s, test=heldout(s, users=np.array([0, 1, 3]))),
        "test: there are users that are not in the data",
    ),
    "no target": (
        lambda s: replace(s, test=heldout(s, target_offsets=np.array([0, 1, 1, 3]))),
        "test: not every user has targets",
    ),
    "target twice": (
        lambda s: replace(s, test=heldout(s, targets=np.array([9, 9, 29]), target_offsets=np.array([0, 1, 2, 3]))),
        "test: a target occurs twice",
    ),
    "arrays that differ": (
        lambda s: replace(s, test=heldout(s, users=np.array([0, 1]))),
        "test: the arrays differ in length",
    ),
    "training that misses a user": (
        lambda s: replace(s, train_start=s.train_start[:2]),
        "training has 2 users, the data 3",
    ),
    "training after the cut": (
        lambda s: replace(s, cut=40),
        "16 training interactions (10, 11, 12, ...) at the cut or later",
    ),
    "target before the cut": (lambda s: replace(s, cut=100), "test: 3 targets (9, 19, 29) before the cut"),
    "validation as new as test": (lambda s: replace(s, cut=0), "a validation target is as new as a test target"),
    "a cut without times": (
        lambda s: replace(s, cut=0, data=replace(s.data, timestamps=None)),
        "there is a cut in time, but the data has no timestamps",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_leaks_are_found(name: str) -> None:
    plant, expected = PLANTED[name]
    problems = check_leakage(plant(plain_split()))
    assert any(expected in problem for problem in problems), problems


def test_rows_are_in_time_order_without_timestamps() -> None:
    split = plain_split()
    split = replace(split, data=replace(split.data, timestamps=None))
    assert check_leakage(split) == []
    late = replace(split, train_start=split.train_end + 1, train_end=split.train_end + 2)
    assert any("newer" in problem for problem in check_leakage(late))


def test_equal_timestamps_are_not_a_leak() -> None:
    split = plain_split()
    assert split.data.timestamps is not None
    assert check_leakage(replace(split, data=replace(split.data, timestamps=np.zeros(30, dtype=np.int64)))) == []


def test_leave_one_out_leakage_by_hand() -> None:
    """The first user's target is older than 16 of 24 training interactions, the second's than 8, the last's than 0."""
    shares = future_shares(plain_split())
    assert shares is not None
    np.testing.assert_allclose(shares, [16 / 24, 8 / 24, 0])
    without = plain_split()
    assert future_shares(replace(without, data=replace(without.data, timestamps=None))) is None


def test_global_time_does_not_leak_the_future(load: Callable[[str], SequenceData]) -> None:
    shares = future_shares(make_split(load("ml-1m"), "global_time", {}))
    assert shares is not None
    assert shares.max() == 0
