"""Sampled negatives without replacement, for all users at once.

The distribution is that of successive sampling: each negative is drawn with probability proportional to its weight
among the items that remain. Two methods follow it exactly. Rejection sampling draws independently from the weights and
skips excluded and repeated items. The few users for whom that would take long get the items with the smallest
exponential keys E / weight (Efraimidis & Spirakis 2006).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError

PAD = 0
DRAWS_AT_ONCE = 2_000_000  # draws for one block of users, which bounds memory
ROUNDS = 4  # of rejection sampling; what is missing then is drawn by exponential keys
KEYS_AT_ONCE = 4_000_000  # exponential keys in memory at once

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class TooFewItemsError(UserError):
    """More negatives were requested than a user has items to draw from.

    Parameters
    ----------
    size : negatives requested
    user : the id of the user with the fewest items to draw from
    left : the number of these items
    """

    def __init__(self, size: int, user: object, left: int) -> None:
        fewer = f"set the number of negatives (test_negative_sample_size) to {left} or less, or " if left else ""
        super().__init__(
            f"{size} negatives were requested, but only {left} items can be drawn for user {user} (the others are "
            f"excluded or have no weight): {fewer}use the full ranking alone "
            "(--test_negative_sampler_code [] --validation_candidates full)"
        )
        self.left = left


def sample_negatives(
    weights: Floats,
    exclude: Ints,
    exclude_offsets: Ints,
    size: int,
    generator: np.random.Generator,
    user_ids: NDArray[np.generic] | None = None,
) -> Ints:
    """Draw `size` distinct items for each user, none of them excluded.

    Parameters
    ----------
    weights : float64 [V + 1], not negative; 0 for PAD and for items that are never drawn
    exclude : int64 [m], the excluded items of all users, one user after another; in any order, repeats allowed
    exclude_offsets : int64 [U + 1]; user u excludes exclude[exclude_offsets[u]:exclude_offsets[u + 1]]
    size : negatives per user
    generator : the source of randomness
    user_ids : [U] ids for error messages; None = user numbers, from 0

    Returns
    -------
    NDArray[np.int64]
        [U, size], in the order of drawing.

    Raises
    ------
    TooFewItemsError
        A user has fewer than `size` items to draw from.
    ValueError
        The weights are not a row of finite numbers >= 0, or PAD has a weight.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 1 or weights.size == 0 or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("weights must be one row of finite numbers, none of them negative")
    if weights[PAD] != 0:
        raise ValueError("the weight of PAD must be 0")
    num_users = len(exclude_offsets) - 1
    few: dict[int, int] = {}  # user -> items to draw from, of the user with the fewest in each block
    possible = size <= np.count_nonzero(weights)  # otherwise the array may be too large to allocate
    negatives = np.zeros((num_users, size if possible else 0), dtype=np.int64)
    if size == 0:
        return negatives
    for start, stop, taken in _blocks(weights, exclude, exclude_offsets, _draws_per_round(min(size, len(weights)))):
        left = _items_left(weights, taken, stop - start)
        if few or left.min() < size:  # an error is certain: only find the user with the fewest items
            few[start + int(left.argmin())] = int(left.min())
        else:
            _fill(weights, taken, negatives[start:stop], generator)
    if few:
        worst = min(few, key=few.__getitem__)
        raise TooFewItemsError(size, worst if user_ids is None else user_ids[worst], few[worst])
    return negatives


def _blocks(weights: Floats, exclude: Ints, offsets: Ints, draws: int) -> Iterator[tuple[int, int, Ints]]:
    """Blocks of users: (start, stop, distinct keys of their excluded items).

    The key of an item is (user - start) * (V + 1) + item.
    """
    users_at_once, num_users = max(1, DRAWS_AT_ONCE // draws), len(offsets) - 1
    for start in range(0, num_users, users_at_once):
        stop = min(start + users_at_once, num_users)
        users = np.repeat(np.arange(stop - start, dtype=np.int64), np.diff(offsets[start : stop + 1]))
        yield start, stop, _once(users * len(weights) + exclude[int(offsets[start]) : int(offsets[stop])])


def _once(keys: Ints) -> Ints:
    """The distinct keys, ascending. (numpy's `unique` hashes integers, which takes several times as long here.)"""
    ordered = np.sort(keys)
    once: Ints = ordered[np.diff(ordered, prepend=-1) != 0]
    return once


def _draws_per_round(size: int) -> int:
    """Draws per user and round: some more than are needed, so that one round is enough for most users."""
    return size + size // 2 + 8


def _items_left(weights: Floats, taken: Ints, num_users: int) -> Ints:
    """The number of items that each user can draw from, int64 [users]; `taken` holds the keys of excluded items."""
    drawable = weights > 0
    lost = np.bincount(taken[drawable[taken % len(weights)]] // len(weights), minlength=num_users)
    left: Ints = int(drawable.sum()) - lost
    return left


def _fill(weights: Floats, taken: Ints, negatives: Ints, generator: np.random.Generator) -> None:
    """Fill `negatives` [users, size] in place; `taken` holds the distinct keys of excluded items."""
    num_users, size = negatives.shape
    columns = len(weights)
    filled = np.zeros(num_users, dtype=np.int64)
    active = np.arange(num_users, dtype=np.int64)
    cumulative = np.cumsum(weights)
    cumulative /= cumulative[-1]
    for _ in range(ROUNDS):
        draws = _draws_per_round(int((size - filled[active]).max()))
        # u in [0, 1) draws the first item whose cumulative weight exceeds it, which is never one without weight.
        items = np.searchsorted(cumulative, generator.random((len(active), draws)), side="right")  # [active, draws]
        fresh_users, fresh_items = _first_draws(active[:, None] * columns + items, taken, columns)
        # The position of each fresh item among those of its user; users are in ascending order.
        place = np.arange(len(fresh_users)) - np.searchsorted(fresh_users, fresh_users)
        wanted = place < (size - filled)[fresh_users]
        fresh_users, fresh_items, place = fresh_users[wanted], fresh_items[wanted], place[wanted]
        negatives[fresh_users, filled[fresh_users] + place] = fresh_items
        filled += np.bincount(fresh_users, minlength=num_users)
        active = np.flatnonzero(filled < size)
        if active.size == 0:
            return
        taken = np.concatenate([taken, fresh_users * columns + fresh_items])
        taken = taken[(filled < size)[taken // columns]]
    rows = max(1, KEYS_AT_ONCE // columns)
    for start in range(0, len(active), rows):
        _fill_by_keys(weights, taken, negatives, filled, active[start : start + rows], generator)


def _first_draws(drawn: Ints, taken: Ints, columns: int) -> tuple[Ints, Ints]:
    """The draws that are neither taken nor repeat an earlier draw.

    Parameters
    ----------
    drawn : int64 [active, draws], keys user * columns + item
    taken : int64 [m], distinct keys

    Returns
    -------
    tuple[NDArray[np.int64], NDArray[np.int64]]
        (users, items), by user, then in the order of drawing.
    """
    places = drawn.shape[1] + 1
    # Sort by key, then by place, where taken keys have place 0: the first entry of each key decides.
    order = np.arange(1, places, dtype=np.int64)
    packed = np.concatenate([taken * places, (drawn * places + order).ravel()])
    packed.sort()
    keys = packed // places
    is_first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    place = packed - keys * places
    fresh = is_first & (place > 0)
    keys, place = keys[fresh], place[fresh]
    users = keys // columns
    items = keys - users * columns
    by_draw = (users * places + place) * columns + items
    by_draw.sort()
    return by_draw // (places * columns), by_draw % columns


def _fill_by_keys(
    weights: Floats, taken: Ints, negatives: Ints, filled: Ints, users: Ints, generator: np.random.Generator
) -> None:
    """Fill what is missing in the rows of these users with items by ascending exponential key."""
    size = negatives.shape[1]
    columns = len(weights)
    rows = np.full(len(negatives), -1, dtype=np.int64)
    rows[users] = np.arange(len(users))
    # Logarithms of the keys, because ratios of weights may overflow: [users, V + 1], infinite = never drawn.
    keys = np.full((len(users), columns), np.inf)
    drawable = np.flatnonzero(weights)
    exponentials = generator.standard_exponential((len(users), len(drawable)))
    keys[:, drawable] = np.log(np.maximum(exponentials, np.finfo(np.float64).tiny)) - np.log(weights[drawable])
    theirs = taken[rows[taken // columns] >= 0]
    keys[rows[theirs // columns], theirs % columns] = np.inf
    missing = size - filled[users]  # [users]
    longest = int(missing.max())
    nearest = np.argpartition(keys, longest - 1, axis=1)[:, :longest]  # [users, longest]
    nearest = np.take_along_axis(nearest, np.argsort(np.take_along_axis(keys, nearest, axis=1), axis=1), axis=1)
    place = np.arange(longest)
    row, column = np.nonzero(place < missing[:, None])
    negatives[users[row], filled[users[row]] + column] = nearest[row, column]
