"""Global time and ratio against slow references that follow docs/protocols.md."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import datasets
from common.errors import UserError
from datasets.sequence_data import Heldout, SequenceData, Split
from datasets.splits.leakage import check_leakage

Event = tuple[int, int]  # time, item
Histories = dict[int, list[Event]]  # user id -> events in order
Case = tuple[list[int], list[int]]  # ids of input items, of targets

histories = st.dictionaries(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=9).map(
        lambda events: sorted(events, key=lambda event: event[0])
    ),
    min_size=1,
    max_size=8,
)
target_modes = st.sampled_from(["last", "all", "next"])
rules = st.sampled_from(["drop", "keep"])


def as_data(rows: Histories) -> SequenceData:
    users = sorted(rows)
    events = [event for user in users for event in rows[user]]
    item_ids = np.unique([item for _, item in events])
    return SequenceData(
        name="small",
        items=(np.searchsorted(item_ids, [item for _, item in events]) + 1).astype(np.int32),
        offsets=np.cumsum([0, *(len(rows[user]) for user in users)]).astype(np.int64),
        timestamps=np.array([time for time, _ in events], dtype=np.int64),
        ratings=None,
        user_ids=np.array(users),
        item_ids=item_ids,
        hash="",
        repeat_consumption=True,
    )


def slow_case(history: list[Event], period: list[Event], targets: str) -> Case | None:
    """Input and targets of a user; history: the interactions before the period."""
    before, within = [item for _, item in history], [item for _, item in period]
    if not within:
        return None
    if targets == "last":
        case = before + within[:-1], within[-1:]
    elif targets == "next":
        case = before, within[:1]
    else:
        case = before, list(dict.fromkeys(within))
    return case if case[0] else None


def found_cases(data: SequenceData, heldout: Heldout) -> dict[int, Case]:
    ids = data.item_ids[np.asarray(data.items) - 1]
    cases = {}
    for row, user in enumerate(heldout.users.tolist()):
        targets = heldout.targets[heldout.target_offsets[row] : heldout.target_offsets[row + 1]]
        inputs = ids[heldout.input_start[row] : heldout.input_end[row]]
        cases[int(data.user_ids[user])] = (inputs.tolist(), ids[targets].tolist())
    return cases


def found_training(split: Split) -> dict[int, list[int]]:
    data = split.data
    ids = data.item_ids[np.asarray(data.items) - 1]
    return {
        int(user): ids[start:end].tolist()
        for user, start, end in zip(data.user_ids, split.train_start, split.train_end, strict=True)
        if end > start
    }


def make(rows: Histories, code: str, **options: Any) -> Split:
    return datasets.split(as_data(rows), code, datasets.SPLITS[code].Options(**options))


@given(histories, target_modes, rules, rules, st.integers(1, 6), st.integers(1, 6))
def test_global_time(rows: Histories, targets: str, users: str, items: str, first: int, length: int) -> None:
    second = first + length
    known = {item for events in rows.values() for time, item in events if time < first}
    training, validation, test = {}, {}, {}
    for user, history in rows.items():
        events = [event for event in history if items == "keep" or event[1] in known]
        before = [event for event in events if event[0] < first]
        middle = [event for event in events if first <= event[0] < second]
        if before:
            training[user] = [item for _, item in before]
        elif users == "drop":
            continue
        validation[user] = slow_case(before, middle, targets)
        test[user] = slow_case(before + middle, [event for event in events if event[0] >= second], targets)
    validation = {user: case for user, case in validation.items() if case}
    test = {user: case for user, case in test.items() if case}
    options = {"validation_time": first, "test_time": second, "targets": targets}
    if not (training and validation and test):
        with pytest.raises(UserError, match="global_time leaves"):
            make(rows, "global_time", **options, cold_users=users, cold_items=items)
        return
    split = make(rows, "global_time", **options, cold_users=users, cold_items=items)
    assert found_training(split) == training
    assert found_cases(split.data, split.validation) == validation
    assert found_cases(split.data, split.test) == test
    assert check_leakage(split) == []
    assert len(split.data.item_ids) == (len(known) if items == "drop" else len(as_data(rows).item_ids))


@given(histories, target_modes, st.sampled_from([0.1, 0.2, 0.45]), st.sampled_from([0.1, 0.3, 0.5]))
def test_ratio(rows: Histories, targets: str, validating: float, testing: float) -> None:
    training, validation, test = {}, {}, {}
    for user, events in rows.items():
        n = len(events)
        v, t = (max(1, math.floor(round(n * share, 6))) for share in (validating, testing))
        training[user] = [item for _, item in events]
        if n - v - t >= 1:
            training[user] = training[user][: n - v - t]
            validation[user] = slow_case(events[: n - v - t], events[n - v - t : n - t], targets)
            test[user] = slow_case(events[: n - t], events[n - t :], targets)
    options = {"validation_share": validating, "test_share": testing, "targets": targets}
    if not test:
        with pytest.raises(UserError, match="has that many"):
            make(rows, "ratio", **options)
        return
    split = make(rows, "ratio", **options)
    assert found_training(split) == training
    assert found_cases(split.data, split.validation) == validation
    assert found_cases(split.data, split.test) == test
    assert check_leakage(split) == []


def test_ratio_cuts_at_the_given_shares() -> None:
    rows = {user: [(time, 1 + (time + user) % 5) for time in range(user, 1000, 10)] for user in range(10)}
    split = make(rows, "global_time", validation_share=0.2, test_share=0.1)
    assert split.cut == 700
    assert (split.train_end - split.train_start).sum() == 700
    assert split.data.timestamps is not None
    assert split.data.timestamps[split.test.targets].min() >= 900


def test_ties_at_the_cut_are_all_after_it() -> None:
    rows = {user: [(0, 1), (1, 2), (1, 3), (1, 1), (2, 2), (3, 1)] for user in range(3)}
    split = make(rows, "global_time", validation_share=0.3, test_share=0.2)
    assert split.cut == 1
    assert found_training(split) == {user: [1] for user in range(3)}


def test_global_time_cuts_at_dates_and_changes_the_hash() -> None:
    day = 86_400
    rows = {user: [(time * day, 1 + time % 3) for time in range(10)] + [(11 * day, 9)] for user in range(3)}
    split = make(rows, "global_time", validation_time="1970-01-06", test_time="1970-01-09T00:00Z")
    assert split.cut == 5 * day
    assert found_cases(split.data, split.test)[0] == ([1, 2, 3, 1, 2, 3, 1, 2, 3], [1])  # item 9 is cold
    assert len(split.data.hash) == 20
    with_cold = make(rows, "global_time", validation_time="1970-01-06", test_time="1970-01-09", cold_items="keep")
    assert found_cases(with_cold.data, with_cold.test)[0][1] == [9]
    assert with_cold.data.hash == ""  # it is the data that was given


def test_global_time_needs_times() -> None:
    data = as_data({1: [(0, 1), (1, 2), (2, 3)]})
    plain = SequenceData(**{**vars(data), "timestamps": None})
    with pytest.raises(UserError, match="needs timestamps"):
        datasets.split(plain, "global_time", datasets.SPLITS["global_time"].Options())


@pytest.mark.parametrize(
    ("code", "options", "message"),
    [
        ("global_time", {"validation_share": 0.5, "test_share": 0.5}, "nothing to train on"),
        ("global_time", {"validation_time": "2020-01-01", "test_time": "2019-01-01"}, "earlier"),
        ("global_time", {"validation_time": "soon"}, "not a date"),
        ("global_time", {"targets": "first"}, "'last', 'all' or 'next'"),
        ("ratio", {"validation_share": 0.9, "test_share": 0.1}, "nothing to train on"),
    ],
)
def test_wrong_options_are_rejected(code: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        datasets.SPLITS[code].Options(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_time": 2, "test_time": 100}, "no test user"),
        ({"validation_time": 0, "test_time": 2}, "nothing to train on"),
        ({"validation_time": 8}, "validation would start at 1970-01-01T00:00:08"),
        ({"validation_time": 5, "test_time": 6}, "no validation user"),
    ],
)
def test_cuts_that_leave_nothing_are_errors(options: dict[str, Any], message: str) -> None:
    rows = {user: [(time, 1 + time % 2) for time in (0, 1, 2, 3, 7, 8)] for user in range(4)}
    with pytest.raises(UserError, match=message):
        make(rows, "global_time", **options)
