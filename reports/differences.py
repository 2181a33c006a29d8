"""Paired significance tests between labels over users, with Holm correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from common.errors import UserError
from evaluation.significance import TESTS, confidence_intervals, holm
from reports.collect import Run
from reports.options import ReportOptions
from reports.per_user import read_per_user


@dataclass(frozen=True)
class Comparison:
    """A paired test of a label against the reference of its column; `difference` is the mean of (label - reference)."""

    candidates: str
    metric: str
    label: str
    reference: str
    users: int
    difference: float
    p_value: float
    corrected: float
    significant: bool


Pair = tuple[str, str, str, str]  # candidates, metric, label, reference


def compare_users(
    labelled: Mapping[str, Sequence[Run]], pairs: Sequence[Pair], options: ReportOptions
) -> tuple[list[Comparison], list[str]]:
    """Test each pair, with Holm correction over all of them.

    A user's value is the mean over the label's seeds. Returns the comparisons, and notes on what could not be tested.
    Raises UserError if two labels have values of different users.
    """
    if options.significance is None or not pairs:
        return [], []
    if options.phase != "test":
        return [], ["no significance tests: per-user values are recorded for the test phase only"]

    columns = sorted({f"{candidates}/{metric}" for candidates, metric, _, _ in pairs})

    @cache
    def users_of(label: str) -> pd.DataFrame | None:
        return mean_over_seeds(label, labelled[label], columns)

    test = TESTS[options.significance]
    tested: list[tuple[Pair, int, float, float]] = []
    lacking: dict[str, None] = {}
    apart: dict[str, None] = {}
    for pair in pairs:
        candidates, metric, label, reference = pair
        mine, theirs = users_of(label), users_of(reference)
        if _drawn_apart(labelled[label], labelled[reference]):
            apart[label] = None
            continue
        column = f"{candidates}/{metric}"
        if mine is None or theirs is None:
            lacking.update(dict.fromkeys(name for name, frame in ((label, mine), (reference, theirs)) if frame is None))
            continue
        if column not in mine or column not in theirs or len(mine) < 2:
            lacking[metric] = None
            continue
        if not mine.index.equals(theirs.index):
            raise UserError(
                f"the per-user values of {label!r} and {reference!r} are of different users although the data is "
                f"the same: {labelled[label][0].per_user_path} and {labelled[reference][0].per_user_path}"
            )
        result = test(mine[column].to_numpy(), theirs[column].to_numpy())
        tested.append((pair, len(mine), result.difference, result.p_value))
    corrected = holm([p_value for _, _, _, p_value in tested])
    comparisons = [
        Comparison(*pair, users, difference, p_value, p_holm, p_holm < options.alpha)
        for (pair, users, difference, p_value), p_holm in zip(tested, corrected, strict=True)
    ]
    notes = [f"not tested because per-user values are missing: {', '.join(lacking)}"] if lacking else []
    if apart:
        notes.append(f"not tested because their seeds, and so their splits, differ: {', '.join(apart)}")
    return comparisons, notes


def user_intervals(
    labelled: Mapping[str, Sequence[Run]], columns: Sequence[str], options: ReportOptions
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return bootstrap intervals of the means over users by (label, column), where per-user values are recorded."""
    if options.intervals is None or options.phase != "test":
        return {}
    rows = {
        (label, column): frame[column].to_numpy()
        for label, runs in labelled.items()
        if (frame := mean_over_seeds(label, runs, columns)) is not None
        for column in frame.columns
    }
    return dict(zip(rows, confidence_intervals(list(rows.values()), options.intervals), strict=True))


def _drawn_apart(runs: Sequence[Run], others: Sequence[Run]) -> bool:
    """Return whether two labels were tested on different random splits."""
    own = any(run.own_split for run in (*runs, *others))
    return own and {run.record.seed for run in runs} != {run.record.seed for run in others}


def mean_over_seeds(label: str, runs: Sequence[Run], columns: Sequence[str]) -> pd.DataFrame | None:
    """Return a label's per-user values [users, columns that all its runs have]; None if a run has no such file."""
    frames = []
    for run in runs:
        frame = read_per_user(run, columns)
        if frame is None:
            return None
        if frame.isna().any(axis=None):
            raise UserError(f"{run.per_user_path} has users without a value: not all users were tested")
        frames.append(frame)
    common = [column for column in columns if all(column in frame for frame in frames)]
    if all(run.own_split for run in runs):  # mean over the seeds that test the user
        return pd.concat([frame[common] for frame in frames]).groupby(level=0).mean()
    total = frames[0][common]
    for frame, run in zip(frames[1:], runs[1:], strict=True):
        if not frame.index.equals(total.index):
            raise UserError(
                f"the seeds of {label!r} have per-user values of different users: {runs[0].per_user_path} and "
                f"{run.per_user_path}"
            )
        total = total + frame[common]
    return total / len(frames)
