"""What `datasets` provides to other packages: interactions as flat arrays, and their split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from common.ragged import concatenated_ranges, offsets_of
from datasets.funnel import Funnel

PAD = 0
SECONDS_OF_DAY = 24 * 3600
ARRAYS = ("items", "offsets", "timestamps", "ratings", "user_ids", "item_ids", "parts")
HASH_DIGITS = 20

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SequenceData:
    """The histories of all users, concatenated; each in time order.

    The history of user `u` (0-based) is the slice `offsets[u]:offsets[u + 1]` of `items`, `timestamps` and `ratings`.
    Arrays may be read-only memory maps.

    Attributes
    ----------
    name : name of the dataset in results
    items : int32 [nnz], 1..num_items; 0 is PAD and never occurs
    offsets : int64 [num_users + 1]
    timestamps : int64 [nnz], seconds UTC, ascending within a user; None if the data has none
    ratings : float32 [nnz]; None if the data has none
    user_ids, item_ids : sorted original ids (int64 or str); item `i` is `item_ids[i - 1]`
    hash : 20 hex digits, a hash of the arrays only, not of the name or the options
    repeat_consumption : whether users consume items repeatedly; then seen items are candidates by default
    copies : number of prepared interactions with the user, the item and the second of an earlier one
    repeat_rate : share of the other prepared interactions with an item that the user had before
    parts : int8 [nnz], 0 training, 1 validation, 2 test; None if the data doesn't come with its split
    funnel : the steps of reading and preparing the data, and what was left after each
    """

    name: str
    items: npt.NDArray[np.int32]
    offsets: IntArray
    timestamps: IntArray | None
    ratings: npt.NDArray[np.float32] | None
    user_ids: npt.NDArray[np.generic]
    item_ids: npt.NDArray[np.generic]
    hash: str
    repeat_consumption: bool
    copies: int = 0
    repeat_rate: float = 0.0
    parts: npt.NDArray[np.int8] | None = None
    funnel: Funnel = ()

    @property
    def num_users(self) -> int:
        """Number of users, each with at least one interaction."""
        return len(self.offsets) - 1

    @property
    def num_items(self) -> int:
        """Number of items; ids run from 1 to this."""
        return len(self.item_ids)

    @property
    def num_interactions(self) -> int:
        """Number of interactions (nnz)."""
        return len(self.items)

    @property
    def days(self) -> IntArray | None:
        """int64 [nnz]: UTC days since 1970-01-01; None without timestamps."""
        return None if self.timestamps is None else self.timestamps // SECONDS_OF_DAY

    @property
    def lengths(self) -> IntArray:
        """int64 [num_users]: number of interactions of each user."""
        return np.diff(self.offsets)


def with_hash(data: SequenceData) -> SequenceData:
    """`data` with its hash, which covers the name, type, length and values of each array."""
    digest = hashlib.blake2b(digest_size=HASH_DIGITS // 2)
    for name in ARRAYS:
        array: npt.NDArray[np.generic] | None = getattr(data, name)
        if array is not None:
            little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(f"{name} {little_endian.dtype.str} {len(array)};".encode())
            digest.update(little_endian.view(np.uint8).data)
    return replace(data, hash=digest.hexdigest())


@dataclass(frozen=True)
class Heldout:
    """An evaluation set of `n` users, each with an input and targets. All positions are indices into `data.items`.

    Attributes
    ----------
    users : int64 [n], 0-based
    input_start, input_end : int64 [n]; `items[start:end]` is the model's input, and the items that count as seen
    targets : int64 [m], positions; those of the i-th user are `targets[target_offsets[i]:target_offsets[i + 1]]`
    target_offsets : int64 [n + 1]
    """

    users: IntArray
    input_start: IntArray
    input_end: IntArray
    targets: IntArray
    target_offsets: IntArray

    def take(self, rows: IntArray) -> Heldout:
        """The users of these rows, int64 [k], in their order."""
        first, last = self.target_offsets[rows], self.target_offsets[rows + 1]
        targets = self.targets[concatenated_ranges(first, last)]
        return Heldout(
            self.users[rows], self.input_start[rows], self.input_end[rows], targets, offsets_of(last - first)
        )

    def sample(self, count: int, seed: int) -> Heldout:
        """`count` of the users, drawn without replacement; all of them if there are no more."""
        if count >= len(self.users):
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self.users), count, replace=False)))


@dataclass(frozen=True)
class Split:
    """The training interactions, and the validation and test sets.

    Attributes
    ----------
    code : the evaluation protocol
    data : the interactions that all positions refer to; a split may reorder or drop some
    train_start, train_end : int64 [num_users]; a user's training interactions are `items[start:end]`, possibly none
    validation, test : the held-out interactions
    in_time : whether a user's targets come after the training interactions and the input; False if drawn at random
    cut : seconds UTC, later than every training interaction; None if the protocol doesn't guarantee one
    drawn_at : seed with which the held-out interactions were drawn; None if they don't depend on a seed
    """

    code: str
    data: SequenceData
    train_start: IntArray
    train_end: IntArray
    validation: Heldout
    test: Heldout
    in_time: bool = field(default=True, kw_only=True)
    cut: int | None = field(default=None, kw_only=True)
    drawn_at: int | None = field(default=None, kw_only=True)

    def training_positions(self) -> tuple[IntArray, IntArray]:
        """(positions int64 [nnz] in `data`, offsets int64 [users + 1]) of the training interactions, user by user."""
        offsets = offsets_of(self.train_end - self.train_start)
        return concatenated_ranges(self.train_start, self.train_end), offsets

    @property
    def trained_on(self) -> str:
        """20 hex digits, a hash of `train_start` and `train_end`: which part of `data` is trained on."""
        digest = hashlib.blake2b(digest_size=HASH_DIGITS // 2)
        for positions in (self.train_start, self.train_end):
            digest.update(np.ascontiguousarray(positions, dtype="<i8").view(np.uint8).data)
        return digest.hexdigest()
