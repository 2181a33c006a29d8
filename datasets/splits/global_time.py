"""Global temporal split: the same cuts in time for all users."""

import logging
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from common.errors import UserError
from common.schema import Options
from datasets.sequence_data import Heldout, IntArray, SequenceData, Split
from datasets.splits.base import SplitMaker
from datasets.splits.known_items import only_known_items
from datasets.splits.targets import Targets, hold_out
from datasets.time_options import TimeOption, to_seconds, to_text

log = logging.getLogger(__name__)


class GlobalTimeOptions(Options):
    """Options of split `global_time`."""

    validation_time: TimeOption | None = Field(
        None, description="start of validation, end of training (2003-02-28, or seconds UTC); null = from the shares"
    )
    test_time: TimeOption | None = Field(None, description="start of test, end of validation; null = from test_share")
    validation_share: float = Field(0.1, gt=0, lt=1, description="share of all interactions in the validation period")
    test_share: float = Field(0.1, gt=0, lt=1, description="share of all interactions in the test period")
    targets: Targets = Field(
        "last", description="targets among a user's interactions in a period: the last, all, or the first (next)"
    )
    cold_users: Literal["drop", "keep"] = Field(
        "drop",
        description="users without training interactions: not evaluated (drop), or evaluated if they have an input",
    )
    cold_items: Literal["drop", "keep"] = Field(
        "drop",
        description="items without training interactions: removed (drop), or candidates and possible targets",
    )

    @model_validator(mode="after")
    def _check(self) -> "GlobalTimeOptions":
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on")
        given = self.validation_time, self.test_time
        if given[0] is not None and given[1] is not None and to_seconds(given[0]) >= to_seconds(given[1]):
            raise ValueError("validation_time must be earlier than test_time")
        return self


class GlobalTime(SplitMaker[GlobalTimeOptions]):
    """Train before a first cut in time, validate up to a second one, test after it: training sees no future data."""

    code = "global_time"
    Options = GlobalTimeOptions
    description = "train before a date, validate on the period after it, test on the last period"

    def make(self, data: SequenceData, options: GlobalTimeOptions) -> Split:
        """Split by time. Raises UserError without timestamps, or if a part is empty."""
        first, second = _cuts(data, options)
        before = data.num_interactions
        if options.cold_items == "drop":
            data, _ = only_known_items(data, _times(data) < first)
        begin, middle, end = _ends(data, first), _ends(data, second), np.asarray(data.offsets[1:])
        start = np.asarray(data.offsets[:-1])
        measured = np.flatnonzero((begin > start) | (options.cold_users == "keep"))
        split = Split(
            code=self.code,
            data=data,
            train_start=start,
            train_end=begin,
            validation=hold_out(data, measured, begin[measured], middle[measured], options.targets),
            test=hold_out(data, measured, middle[measured], end[measured], options.targets),
            cut=first,
        )
        _check_parts(split, first, second)
        log.info(
            "global_time: training ends at %s, test starts at %s; %d training interactions, %d validation and %d test "
            "users; dropped %d interactions with items that have no training interactions",
            to_text(first), to_text(second), (begin - start).sum(), len(split.validation.users), len(split.test.users),
            before - data.num_interactions,
        )  # fmt: skip
        return split


def _times(data: SequenceData) -> IntArray:
    if data.timestamps is None:
        raise UserError(f"global_time needs timestamps, but dataset {data.name} has none: use another split or dataset")
    return np.asarray(data.timestamps)


def _cuts(data: SequenceData, options: GlobalTimeOptions) -> tuple[int, int]:
    """Start of validation and of test: as given, or from the shares of interactions (ties all go after the cut)."""
    times = _times(data)
    shares = options.validation_share + options.test_share, options.test_share
    given = options.validation_time, options.test_time
    first, second = (
        _time_at(times, 1 - share) if moment is None else to_seconds(moment)
        for moment, share in zip(given, shares, strict=True)
    )
    if first >= second:
        raise UserError(
            f"global_time: validation would start at {to_text(first)} and test at {to_text(second)}; give a "
            "validation_time earlier than test_time, or larger shares"
        )
    return first, second


def _time_at(times: IntArray, share: float) -> int:
    """Time of the first interaction after a share of all interactions."""
    place = min(round(share * len(times)), len(times) - 1)
    return int(np.partition(times, place)[place])


def _ends(data: SequenceData, cut: int) -> IntArray:
    """int64 [num_users]: position of each user's first interaction at `cut` or later."""
    counted = np.concatenate(([0], np.cumsum(_times(data) < cut)))
    return np.asarray(data.offsets[:-1] + counted[data.offsets[1:]] - counted[data.offsets[:-1]])


def _check_parts(split: Split, first: int, second: int) -> None:
    """Raise UserError if training, validation or test is empty."""
    times = _times(split.data) if split.data.num_interactions else np.zeros(0, dtype=np.int64)
    where = f"{split.data.name}, cut at {to_text(first)} and {to_text(second)}"
    if not (split.train_end > split.train_start).any():
        raise UserError(f"global_time leaves nothing to train on in {where}: use a later validation_time")
    parts: tuple[tuple[str, Heldout], ...] = (("validation", split.validation), ("test", split.test))
    for name, heldout in parts:
        if len(heldout.users) == 0:
            raise UserError(
                f"global_time leaves no {name} users in {where} (the newest interaction is at "
                f"{to_text(int(times.max()))}): move the cuts, or keep cold users and items (cold_users, cold_items)"
            )
