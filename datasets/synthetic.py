"""Generated interactions: Markov chains over item groups, with skewed popularity and drifting tastes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from datasets.base import Dataset, DatasetOptions, RawInteractions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_LENGTH = 5  # interactions of the least active user
MAX_LENGTH_FACTOR = 4  # the most active user's interactions, as a multiple of the mean
FIRST_SECOND = 1_577_836_800  # 2020-01-01 UTC
YEAR = 365 * 24 * 3600
DAY = 24 * 3600


class SyntheticOptions(DatasetOptions):
    """Options of the `synthetic` dataset."""

    synthetic_users: int = Field(2000, ge=1, le=10_000_000, description="number of users")
    synthetic_items: int = Field(500, ge=2, le=10_000_000, description="number of items")
    synthetic_length: float = Field(30, ge=MIN_LENGTH, le=10_000, description="mean interactions per user")
    synthetic_groups: int = Field(
        20, ge=1, description="number of item groups; a user stays in one until their taste drifts"
    )
    predictability: float = Field(
        0.8, ge=0, le=1, description="share of interactions that follow the Markov chain; 0 = popularity-weighted noise"
    )
    taste_drift: float = Field(0.05, ge=0, le=1, description="probability per step of moving to another item group")
    popularity_skew: float = Field(
        1.0, ge=0, le=5, description="power-law exponent of group and item popularity; 0 = uniform"
    )
    synthetic_seed: int = Field(0, ge=0, description="random seed of the generated dataset")


@dataclass(frozen=True)
class Catalogue:
    """Items 0..V-1 in G groups. The successors form one cycle per group.

    Attributes
    ----------
    group : int64 [V], the group of each item
    successor : int64 [V], the next item in the Markov chain
    popularity : float64 [V], cumulative distribution over items
    order : int64 [V], items sorted by group, then by popularity rank
    bounds : int64 [G + 1], the start of each group in `order`
    within : float64 [V], cumulative distribution over `order`
    """

    group: IntArray
    successor: IntArray
    popularity: FloatArray
    order: IntArray
    bounds: IntArray
    within: FloatArray

    def draw(self, uniform: FloatArray) -> IntArray:
        """Draw items by popularity; uniform: float64 [n] in [0, 1)."""
        return np.searchsorted(self.popularity, uniform, side="right")

    def draw_from(self, group: IntArray, uniform: FloatArray) -> IntArray:
        """Draw an item by popularity from each of the groups [n]; uniform: float64 [n] in [0, 1)."""
        low = np.where(self.bounds[group] > 0, self.within[self.bounds[group] - 1], 0.0)
        high = self.within[self.bounds[group + 1] - 1]
        position = np.searchsorted(self.within, low + uniform * (high - low), side="right")
        return self.order[np.clip(position, self.bounds[group], self.bounds[group + 1] - 1)]


class Synthetic(Dataset[SyntheticOptions]):
    """Generated data of configurable predictability, to check that a model learns, or that it doesn't learn noise."""

    code = "synthetic"
    Options = SyntheticOptions
    description = "generated Markov chains over item groups; needs no download"
    repeat_consumption = True

    def content_key(self, options: SyntheticOptions) -> str:
        """A constant, as the data depends on the options only."""
        return "generated"

    def read(self, options: SyntheticOptions) -> RawInteractions:
        """Generate the histories of all users in parallel, step by step."""
        # Uniform draws only, as their stream is the same in every version of numpy.
        random = np.random.Generator(np.random.PCG64(options.synthetic_seed))
        catalogue = _catalogue(options, random)
        lengths = _lengths(options, random)
        item = _walk(catalogue, lengths, options, random)
        user = np.repeat(np.arange(len(lengths)), lengths)
        frame = pd.DataFrame(
            {
                "user": user + 1,
                "item": item + 1,
                "rating": _ratings(user, item, len(lengths), options, random),
                "timestamp": _times(user, lengths, random),
            }
        )
        return RawInteractions(frame)


def _skewed(count: int, skew: float) -> FloatArray:
    """Weights 1, 2^-skew, 3^-skew, ..."""
    return np.arange(1, count + 1, dtype=np.float64) ** -skew


def _catalogue(options: SyntheticOptions, random: np.random.Generator) -> Catalogue:
    """Assign items to groups, chain each group into a cycle, and assign popularities to groups and their items."""
    num_items = options.synthetic_items
    num_groups = min(options.synthetic_groups, num_items // 2)
    order = np.argsort(random.random(num_items), kind="stable")
    bounds = np.linspace(0, num_items, num_groups + 1).astype(np.int64)
    group_of_place = np.repeat(np.arange(num_groups), np.diff(bounds))
    rank = np.arange(num_items) - bounds[group_of_place]
    weight = _skewed(num_groups, options.popularity_skew)[group_of_place]
    weight *= _skewed(num_items, options.popularity_skew)[rank]
    weight /= weight.sum()
    # The chain visits a group's items in random order, not by popularity.
    chain = np.lexsort((random.random(num_items), group_of_place))
    after = np.arange(1, num_items + 1)
    after[bounds[1:] - 1] = bounds[:-1]
    successor = np.empty(num_items, dtype=np.int64)
    successor[order[chain]] = order[chain[after]]
    group = np.empty(num_items, dtype=np.int64)
    group[order] = group_of_place
    popularity = np.empty(num_items)
    popularity[order] = weight
    popularity = np.cumsum(popularity)
    within = np.cumsum(weight)
    popularity[-1] = within[-1] = 1.0
    return Catalogue(group, successor, popularity, order, bounds, within)


def _lengths(options: SyntheticOptions, random: np.random.Generator) -> IntArray:
    """int64 [users] history lengths: MIN_LENGTH plus an exponential, capped at MAX_LENGTH_FACTOR times the mean."""
    spread = options.synthetic_length - MIN_LENGTH
    lengths = MIN_LENGTH + np.floor(-np.log1p(-random.random(options.synthetic_users)) * spread + 0.5)
    return np.asarray(np.minimum(lengths, np.ceil(MAX_LENGTH_FACTOR * options.synthetic_length)), dtype=np.int64)


def _walk(catalogue: Catalogue, lengths: IntArray, options: SyntheticOptions, random: np.random.Generator) -> IntArray:
    """int64 [nnz]: items of all users, one user after another.

    Each user has a state, which is an item. With probability `predictability`, a step moves to the state's successor
    and emits it; otherwise it emits any item, drawn by popularity, and keeps the state. With probability
    `taste_drift`, the state first jumps to an item of another group, drawn by popularity.
    """
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    by_length = np.argsort(-lengths, kind="stable")  # at step t the users still active are a prefix
    starts = offsets[:-1][by_length]
    active = np.searchsorted(-lengths[by_length], -np.arange(lengths.max()), side="left")
    items = np.empty(offsets[-1], dtype=np.int64)
    state = catalogue.draw(random.random(len(lengths)))
    num_groups = len(catalogue.bounds) - 1
    for step, count in enumerate(active):
        chance = random.random((5, count))
        state = state[:count]
        drifts = (chance[0] < options.taste_drift) & (num_groups > 1)
        shift = 1 + np.floor(chance[1] * (num_groups - 1)).astype(np.int64)
        elsewhere = catalogue.draw_from((catalogue.group[state] + shift) % num_groups, chance[2])
        state = np.where(drifts, elsewhere, state)
        follows = chance[3] < options.predictability
        state = np.where(follows, catalogue.successor[state], state)
        items[starts[:count] + step] = np.where(follows, state, catalogue.draw(chance[4]))
    return items


def _times(user: IntArray, lengths: IntArray, random: np.random.Generator) -> IntArray:
    """int64 [nnz], seconds: users join within a year and act in bursts, minutes apart, with days between them."""
    joined = FIRST_SECOND + np.floor(random.random(len(lengths)) * YEAR).astype(np.int64)
    pause = random.random(len(user)) < 0.2
    gap = -np.log1p(-random.random(len(user))) * np.where(pause, 7 * DAY, 120)
    total = np.cumsum(np.floor(gap).astype(np.int64))
    first = np.concatenate(([0], np.cumsum(lengths)))[:-1]
    return np.asarray(joined[user] + total - total[first][user])


def _ratings(
    user: IntArray, item: IntArray, num_users: int, options: SyntheticOptions, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """float32 [nnz], 1..5: the sum of the user's leniency, the item's quality, and noise."""
    leniency = random.random(num_users) * 2 - 1
    quality = random.random(options.synthetic_items) * 2 - 1
    noise = random.random(len(user)) * 2 - 1
    return np.clip(np.round(3.5 + leniency[user] + quality[item] + noise), 1, 5).astype(np.float32)
