"""Targets that the user has had before. Where `filter_seen` is true, recommended lists never contain them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.ragged import concatenated_ranges, offsets_of, rows_of
from datasets import Heldout
from evaluation.options import SeenTargets

Int = NDArray[np.int64]


@dataclass(frozen=True)
class EvaluatedTargets:
    """The users and targets of a held-out set that are evaluated; n users.

    Attributes
    ----------
    heldout : the users, and the targets that are ranked
    missed : int64 [n], the number of each user's other targets, which count as not found; None if there are none
    seen_share : share of the held-out set's targets that the user has had before; 0 if seen items are candidates
    """

    heldout: Heldout
    missed: Int | None = None
    seen_share: float = 0.0


def evaluated_targets(items: NDArray[np.integer], heldout: Heldout, how: SeenTargets) -> EvaluatedTargets:
    """The evaluated users and targets of a held-out set whose seen items are no candidates; `how` = seen_targets."""
    if len(heldout.targets) == 0:
        return EvaluatedTargets(heldout)
    seen = is_seen(items, heldout)
    if not seen.any():
        return EvaluatedTargets(heldout)
    if how == "miss":
        return count_as_missed(items, heldout, seen)
    return leave_out(heldout, seen) if how == "skip" else EvaluatedTargets(heldout, None, float(seen.mean()))


def is_seen(items: NDArray[np.integer], heldout: Heldout) -> NDArray[np.bool_]:
    """Whether the user's input has the target's item: bool [m].

    Parameters
    ----------
    items : int [nnz], all interactions
    heldout : users, inputs and targets
    """
    columns = int(items.max(initial=0)) + 1
    targets = rows_of(np.diff(heldout.target_offsets)) * columns + items[heldout.targets]  # keys of (user, item)
    wanted = np.unique(targets)
    positions = concatenated_ranges(heldout.input_start, heldout.input_end)
    had = rows_of(heldout.input_end - heldout.input_start) * columns + items[positions]
    places = np.searchsorted(wanted, had)
    found = np.zeros(len(wanted) + 1, dtype=bool)
    found[places[wanted[np.minimum(places, len(wanted) - 1)] == had]] = True
    return np.asarray(found[np.searchsorted(wanted, targets)])


def count_as_missed(items: NDArray[np.integer], heldout: Heldout, seen: NDArray[np.bool_]) -> EvaluatedTargets:
    """All users; the seen targets are not ranked and count as not found, each item once."""
    row = rows_of(np.diff(heldout.target_offsets))
    columns = int(items.max(initial=0)) + 1
    distinct = np.unique(row[seen] * columns + items[heldout.targets[seen]])
    missed = np.bincount(distinct // columns, minlength=len(heldout.users))
    return EvaluatedTargets(_ranked(heldout, seen), missed, float(seen.mean()))


def leave_out(heldout: Heldout, seen: NDArray[np.bool_]) -> EvaluatedTargets:
    """The users that have other targets than seen ones, with these."""
    ranked = _ranked(heldout, seen)
    counts = np.diff(ranked.target_offsets)
    left = counts > 0
    users = {name: getattr(ranked, name)[left] for name in ("users", "input_start", "input_end")}
    return EvaluatedTargets(replace(ranked, **users, target_offsets=offsets_of(counts[left])), None, float(seen.mean()))


def _ranked(heldout: Heldout, seen: NDArray[np.bool_]) -> Heldout:
    """The held-out set without its seen targets; users may be left without any."""
    row = rows_of(np.diff(heldout.target_offsets))
    counts = np.bincount(row[~seen], minlength=len(heldout.users))
    return replace(heldout, targets=heldout.targets[~seen], target_offsets=offsets_of(counts))
