"""How good a label is for whom: users in groups by the length of their history or the popularity of their target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError
from reports.collect import Run, read_per_user

# What tells users apart: columns of per-user values, each with its name and what it counts.
FACTS = {
    "target_popularity": ("popularity", "the target's training interactions"),
    "history_length": ("history length", "interactions in the history"),
}
GROUPS = 6  # about equally many users in each
CONFIDENCE = 1.96  # standard errors to either side that hold 95 %


@dataclass(frozen=True)
class Groups:
    """Users in groups by a fact: `of` int64 by user id as text; `names` and `sizes` by group, in ascending order."""

    of: "pd.Series[int]"
    names: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class GroupMean:
    """A metric's mean over the users of a group, with the half width of its 95 % interval."""

    mean: float
    half_width: float


def several_splits(runs: Sequence[Run]) -> bool:
    """Whether the runs' seeds drew different splits."""
    return len({run.record.seed for run in runs if run.own_split}) > 1


def facts_of_users(runs: Sequence[Run]) -> pd.DataFrame | None:
    """The facts by user id, of any of the runs that kept them: they are the data's and the split's, not the run's.

    None where none did, or where each seed has its own split. Raises UserError where two runs tell different facts.
    """
    if several_splits(runs):
        return None
    known: tuple[Run, pd.DataFrame] | None = None
    for run in runs:
        frame = read_per_user(run, tuple(FACTS))
        if frame is None or len(frame.columns) < len(FACTS) or frame.isna().any(axis=None):
            continue
        if known is not None and not frame.equals(known[1]):
            raise UserError(
                f"the users of {run.per_user_path} and {known[0].per_user_path} differ in history or targets, though "
                "their data is the same: they were split in different ways; report them apart"
            )
        known = run, frame
    return None if known is None else known[1]


def grouped(fact: "pd.Series[float]") -> Groups:
    """Users in up to six groups of about the same size; equal values are never parted."""
    values = fact.to_numpy()
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, GROUPS + 1)[1:-1], method="lower"))
    place: NDArray[np.int64] = np.searchsorted(cuts, values, side="left")  # a group holds what is <= its cut
    used, number = np.unique(place, return_inverse=True)
    members = [values[place == group] for group in used]
    return Groups(
        of=pd.Series(number, index=fact.index),
        names=tuple(_range(float(each.min()), float(each.max())) for each in members),
        sizes=tuple(len(each) for each in members),
    )


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f}\N{EN DASH}{high:,.0f}"


def means_by_group(runs: Sequence[Run], column: str, groups: Groups) -> list[GroupMean] | None:
    """A label's means by group; a user's value is the mean over the runs (its seeds). None where values weren't kept.

    Raises UserError where the values are of other users than the groups.
    """
    frames = []
    for run in runs:
        frame = read_per_user(run, [column])
        if frame is None or column not in frame or frame[column].isna().any():
            return None
        if not frame.index.equals(groups.of.index):
            raise UserError(f"{run.per_user_path} has other users than the other runs, though their data is the same")
        frames.append(frame[column].to_numpy())
    values = np.mean(frames, axis=0)  # [users]
    found = []
    for group in range(len(groups.names)):
        members = values[groups.of.to_numpy() == group]
        error = members.std(ddof=1) / np.sqrt(len(members)) if len(members) > 1 else 0.0
        found.append(GroupMean(float(members.mean()), float(CONFIDENCE * error)))
    return found
