"""Leakage check of splits, the same for every protocol."""

import numpy as np
import numpy.typing as npt

from common.ragged import rows_of
from datasets.sequence_data import Heldout, IntArray, Split

BoolArray = npt.NDArray[np.bool_]


def check_leakage(split: Split) -> list[str]:
    """Find leaks and inconsistencies of a split.

    - Every split: training, input and targets lie within their user's history. Each held-out user occurs once and has
      targets. No target is in the user's input, in training, or in both validation and test.
    - Splits in time (`in_time`): no training or input interaction of a user is newer than the user's targets.
    - Splits with a `cut`: training is before the cut, targets are not, and validation targets are older than test
      targets.

    Returns
    -------
    One sentence for each problem; empty if there is none.
    """
    problems = _shapes(split)
    if problems:  # the other checks need consistent arrays
        return problems
    training = training_mask(split)
    targeted = {}
    for phase, heldout in (("validation", split.validation), ("test", split.test)):
        problems += [f"{phase}: {text}" for text in _case_problems(split, heldout, training)]
        targeted[phase] = heldout.targets
    both = np.intersect1d(targeted["validation"], targeted["test"])
    if len(both):
        problems.append(f"{_many(both, 'target')} of both validation and test")
    return problems + _cut_problems(split, training)


def training_mask(split: Split) -> BoolArray:
    """bool [nnz]: which interactions are for training."""
    change = np.zeros(split.data.num_interactions + 1, dtype=np.int64)
    filled = split.train_end > split.train_start
    np.add.at(change, split.train_start[filled], 1)
    np.add.at(change, split.train_end[filled], -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)


def _shapes(split: Split) -> list[str]:
    """Problems of the arrays themselves."""
    data, problems = split.data, []
    low, high = np.asarray(data.offsets[:-1]), np.asarray(data.offsets[1:])
    if len(split.train_start) != data.num_users or len(split.train_end) != data.num_users:
        return [f"training has {len(split.train_start)} users, the data {data.num_users}"]
    outside = (split.train_start < low) | (split.train_end > high) | (split.train_start > split.train_end)
    if outside.any():
        problems.append(f"training of {_many(np.flatnonzero(outside), 'user')} is not within the user's history")
    for phase, heldout in (("validation", split.validation), ("test", split.test)):
        problems += [f"{phase}: {text}" for text in _heldout_shapes(heldout, low, high)]
    return problems


def _heldout_shapes(heldout: Heldout, low: IntArray, high: IntArray) -> list[str]:
    """Problems of the arrays of one phase; low, high: int64 [num_users], bounds of each user's history."""
    n = len(heldout.users)
    offsets = heldout.target_offsets
    if {len(heldout.input_start), len(heldout.input_end), len(offsets) - 1} != {n}:
        return ["the arrays differ in length"]
    if offsets[0] != 0 or offsets[-1] != len(heldout.targets) or (np.diff(offsets) < 1).any():
        return ["not every user has targets"]
    if n and (heldout.users.min() < 0 or heldout.users.max() >= len(low)):
        return ["there are users that are not in the data"]
    problems = []
    if len(np.unique(heldout.users)) != n:
        problems.append("a user occurs twice")
    low, high = low[heldout.users], high[heldout.users]
    start, end = heldout.input_start, heldout.input_end
    outside = (start < low) | (end > high) | (start > end)
    if outside.any():
        problems.append(f"the input of {_many(heldout.users[outside], 'user')} is not within the user's history")
    row = rows_of(np.diff(offsets))
    outside = (heldout.targets < low[row]) | (heldout.targets >= high[row])
    if outside.any():
        problems.append(f"{_many(heldout.targets[outside], 'target')} not within the user's history")
    if len(np.unique(heldout.targets)) != len(heldout.targets):
        problems.append("a target occurs twice")
    return problems


def _case_problems(split: Split, heldout: Heldout, training: BoolArray) -> list[str]:
    """Leaks of one phase's targets into input or training."""
    if len(heldout.users) == 0:
        return []
    problems = []
    row = rows_of(np.diff(heldout.target_offsets))
    targets, users = heldout.targets, heldout.users
    in_input = (targets >= heldout.input_start[row]) & (targets < heldout.input_end[row])
    if in_input.any():
        problems.append(f"{_many(targets[in_input], 'target')} in the input")
    if training[targets].any():
        problems.append(f"{_many(targets[training[targets]], 'target')} in training")
    if split.in_time:
        oldest = np.minimum.reduceat(_clock(split)[targets], heldout.target_offsets[:-1])
        trained_last = _newest(split, split.train_start[users], split.train_end[users])
        given_last = _newest(split, heldout.input_start, heldout.input_end)
        for what, newest in (("training", trained_last), ("input", given_last)):
            late = newest > oldest
            if late.any():
                problems.append(f"{what} of {_many(users[late], 'user')} is newer than the user's targets")
    return problems


def _clock(split: Split) -> IntArray:
    """int64 [nnz]: time of each interaction; its position if the data has no timestamps."""
    times = split.data.timestamps
    return np.arange(split.data.num_interactions, dtype=np.int64) if times is None else np.asarray(times)


def _newest(split: Split, start: IntArray, end: IntArray) -> IntArray:
    """int64 [n]: latest time in each `[start, end)`, which need not be sorted; the least integer if it is empty."""
    clock = np.append(_clock(split), np.iinfo(np.int64).min)  # a bound of reduceat may be the end
    newest = np.full(len(start), np.iinfo(np.int64).min)
    filled = np.flatnonzero(end > start)
    if len(filled):
        bounds = np.stack((start[filled], end[filled]), axis=1).ravel()
        newest[filled] = np.maximum.reduceat(clock, bounds)[::2]
    return newest


def _cut_problems(split: Split, training: BoolArray) -> list[str]:
    """Violations of a global cut in time."""
    if split.cut is None:
        return []
    if split.data.timestamps is None:
        return ["there is a cut in time, but the data has no timestamps"]
    clock, problems = _clock(split), []
    late = np.flatnonzero(training & (clock >= split.cut))
    if len(late):
        problems.append(f"{_many(late, 'training interaction')} at the cut or later")
    for phase, heldout in (("validation", split.validation), ("test", split.test)):
        early = heldout.targets[clock[heldout.targets] < split.cut]
        if len(early):
            problems.append(f"{phase}: {_many(early, 'target')} before the cut")
    validation, test = clock[split.validation.targets], clock[split.test.targets]
    if len(validation) and len(test) and validation.max() >= test.min():
        problems.append("a validation target is as new as a test target")
    return problems


def future_shares(split: Split) -> npt.NDArray[np.float64] | None:
    """float64 [m]: share of all training interactions newer than each test target; None without timestamps."""
    if split.data.timestamps is None:
        return None
    clock = _clock(split)
    trained = np.sort(clock[training_mask(split)])
    older = np.searchsorted(trained, clock[split.test.targets], side="right")
    return 1 - older / max(len(trained), 1)


def _many(which: npt.NDArray[np.generic], what: str) -> str:
    """ "3 targets (7, 12, 40)" for a message."""
    shown = ", ".join(str(value) for value in which[:3].tolist()) + (", ..." if len(which) > 3 else "")
    return f"{len(which)} {what}{'' if len(which) == 1 else 's'} ({shown})"
