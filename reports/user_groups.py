"""Metrics by group of users: by length of the history and by popularity of the test target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError
from reports.collect import Run
from reports.per_user import read_per_user

# Columns of the per-user files by which users are grouped: name, axis label.
USER_ATTRIBUTES = {
    "target_popularity": ("popularity", "training interactions of the target"),
    "history_length": ("history length", "interactions in the history"),
}
GROUPS = 6  # of about equal size
CONFIDENCE = 1.96  # standard errors on each side of a 95 % confidence interval


@dataclass(frozen=True)
class UserGroups:
    """A partition of users by an attribute, in ascending order of its values.

    Attributes
    ----------
    of : the group's index, int64, by user id (as text)
    names, sizes : the range of values and the number of users of each group
    """

    of: pd.Series[int]
    names: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class GroupMean:
    """The mean of a metric over the users of a group, with the half-width of its 95 % confidence interval."""

    mean: float
    half_width: float


def several_splits(runs: Sequence[Run]) -> bool:
    """Return whether the runs have a split per seed and more than one seed."""
    return len({run.record.seed for run in runs if run.own_split}) > 1


def user_attributes(runs: Sequence[Run]) -> pd.DataFrame | None:
    """Return the users' attributes by user id, from any run that recorded them: they depend only on data and split.

    None if no run recorded them, or if each seed has its own split. Raises UserError if two runs disagree.
    """
    if several_splits(runs):
        return None
    known: tuple[Run, pd.DataFrame] | None = None
    for run in runs:
        frame = read_per_user(run, tuple(USER_ATTRIBUTES))
        if frame is None or len(frame.columns) < len(USER_ATTRIBUTES) or frame.isna().any(axis=None):
            continue
        if known is not None and not frame.equals(known[1]):
            raise UserError(
                f"the users of {run.per_user_path} and {known[0].per_user_path} differ in history or targets although "
                "the data is the same: the runs used different splits; report them separately"
            )
        known = run, frame
    return None if known is None else known[1]


def group_users(attribute: pd.Series[float]) -> UserGroups:
    """Partition users into up to six groups of about equal size. Users with equal values share a group."""
    values = attribute.to_numpy()
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, GROUPS + 1)[1:-1], method="lower"))
    place: NDArray[np.int64] = np.searchsorted(cuts, values, side="left")  # a group's values are <= its cut
    used, number = np.unique(place, return_inverse=True)
    members = [values[place == group] for group in used]
    return UserGroups(
        of=pd.Series(number, index=attribute.index),
        names=tuple(_range(float(each.min()), float(each.max())) for each in members),
        sizes=tuple(len(each) for each in members),
    )


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f}\N{EN DASH}{high:,.0f}"


def means_by_group(runs: Sequence[Run], column: str, groups: UserGroups) -> list[GroupMean] | None:
    """Return a label's mean by group, where a user's value is the mean over the runs (seeds).

    None if a run has no per-user values of the column. Raises UserError if the runs' users are not those of the groups.
    """
    frames = []
    for run in runs:
        frame = read_per_user(run, [column])
        if frame is None or column not in frame or frame[column].isna().any():
            return None
        if not frame.index.equals(groups.of.index):
            raise UserError(
                f"{run.per_user_path} has different users than the other runs although the data is the same"
            )
        frames.append(frame[column].to_numpy())
    values = np.mean(frames, axis=0)  # [users]
    found = []
    for group in range(len(groups.names)):
        members = values[groups.of.to_numpy() == group]
        error = members.std(ddof=1) / np.sqrt(len(members)) if len(members) > 1 else 0.0
        found.append(GroupMean(float(members.mean()), float(CONFIDENCE * error)))
    return found
