"""Strong generalization (Liang et al. 2018): whole users are held out; part of their history is the model's input."""

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from common.errors import UserError
from common.ragged import concatenated_ranges, offsets_of
from common.schema import Options
from datasets.sequence_data import Heldout, IntArray, SequenceData, Split
from datasets.splits.base import SplitMaker
from datasets.splits.known_items import only_known_items
from datasets.splits.select import previous_in_user, select_interactions, users_of

TRAIN, VALIDATION, TEST = 0, 1, 2


class StrongGeneralizationOptions(Options):
    """Options of split `strong_generalization`."""

    heldout_users: int | float = Field(
        0.1, gt=0, description="number of validation users and of test users; below 1 = their share of all users"
    )
    fold_in: Literal["random", "temporal"] = Field(
        "random", description="a held-out user's targets: random items, or the last ones in time"
    )
    target_share: float = Field(0.2, gt=0, lt=1, description="share of a held-out user's items that are targets")
    min_heldout_items: int = Field(
        5,
        ge=2,
        description="fewest items of an evaluated user, counting only items with training interactions",
    )
    distinct_items: bool = Field(True, description="keep only a user's first interaction with each item")
    split_seed: int = Field(98765, ge=0, description="random seed of the split")

    @field_validator("heldout_users")
    @classmethod
    def _a_share_or_a_number(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError("should be a whole number of users, or a share below 1")
        return value


class StrongGeneralization(SplitMaker[StrongGeneralizationOptions]):
    """Train on some users, evaluate on others: fold in 80 % of their items, predict the other 20 %.

    Only items of training users are kept. A held-out user's interactions are reordered: fold-in first, then targets.
    """

    code = "strong_generalization"
    Options = StrongGeneralizationOptions
    description = "hold out users: most of their items are the input, the others are the targets"

    def make(self, data: SequenceData, options: StrongGeneralizationOptions) -> Split:
        """Split by users. Raises UserError if there are too few of them."""
        random = np.random.default_rng(options.split_seed)
        roles = _roles(data, options, random)
        if options.distinct_items:
            data = _distinct(data)
        data, left = only_known_items(data, roles[users_of(data)] == TRAIN)
        roles = roles[left]
        is_target = _targets(data, roles, options, random)
        order = np.argsort(2 * users_of(data) + is_target, kind="stable")
        data, is_target = select_interactions(data, order), is_target[order]
        start, end = np.asarray(data.offsets[:-1]), np.asarray(data.offsets[1:])
        return Split(
            code=self.code,
            data=data,
            train_start=start,
            train_end=np.where(roles == TRAIN, end, start),
            validation=_heldout(data, is_target, roles == VALIDATION, "validation"),
            test=_heldout(data, is_target, roles == TEST, "test"),
            in_time=options.fold_in == "temporal",
        )


def _roles(data: SequenceData, options: StrongGeneralizationOptions, random: np.random.Generator) -> IntArray:
    """TRAIN, VALIDATION or TEST of each user."""
    asked = options.heldout_users
    count = round(asked * data.num_users) if asked < 1 else int(asked)
    if count < 1 or 2 * count >= data.num_users:
        raise UserError(
            f"strong_generalization can't hold out {count:,} users each for validation and test (heldout_users "
            f"{asked}) from the {data.num_users:,} users of {data.name}: each part and training need at least one user"
        )
    order = random.permutation(data.num_users)
    roles = np.full(data.num_users, TRAIN)
    roles[order[-2 * count : -count]] = VALIDATION
    roles[order[-count:]] = TEST
    return roles


def _distinct(data: SequenceData) -> SequenceData:
    """Keep each user's first interaction with each item."""
    first = np.flatnonzero(previous_in_user(data) < 0)
    return replace(select_interactions(data, first), repeat_consumption=False)


def _targets(
    data: SequenceData, roles: IntArray, options: StrongGeneralizationOptions, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which interactions are targets: bool [nnz]."""
    lengths = data.lengths
    counts = np.maximum((options.target_share * lengths).astype(np.int64), 1)
    counts[(roles == TRAIN) | (lengths < options.min_heldout_items)] = 0
    user = users_of(data)
    order = np.arange(data.num_interactions)
    if options.fold_in == "random":
        order = np.lexsort((random.random(data.num_interactions), user))
    is_target = np.zeros(data.num_interactions, dtype=bool)
    is_target[order] = np.arange(data.num_interactions) >= (data.offsets[1:] - counts)[user]
    return is_target


def _heldout(
    data: SequenceData, is_target: npt.NDArray[np.bool_], chosen: npt.NDArray[np.bool_], phase: str
) -> Heldout:
    """The chosen users with targets, which are the last of each user's interactions."""
    counts = np.bincount(users_of(data)[is_target], minlength=data.num_users)
    users = np.flatnonzero(chosen & (counts > 0))
    if len(users) == 0:
        raise UserError(
            f"strong_generalization leaves no {phase} user with targets in {data.name}: raise heldout_users, or lower "
            "min_heldout_items"
        )
    counts, end = counts[users], np.asarray(data.offsets[1:])[users]
    return Heldout(
        users=users,
        input_start=np.asarray(data.offsets)[users],
        input_end=end - counts,
        targets=concatenated_ranges(end - counts, end),
        target_offsets=offsets_of(counts),
    )
