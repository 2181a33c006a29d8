"""Ratio: the first part of each history is for training, the next for validation, the last for test."""

import numpy as np
from pydantic import Field, model_validator

from common.errors import UserError
from common.schema import Options
from datasets.sequence_data import IntArray, SequenceData, Split
from datasets.splits.base import SplitMaker
from datasets.splits.targets import Targets, hold_out


class RatioOptions(Options):
    """Options of split `ratio`."""

    validation_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of each user's interactions for validation, rounded down but at least one",
    )
    test_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of each user's interactions for test, rounded down but at least one",
    )
    targets: Targets = Field(
        "all", description="targets among a user's interactions in a part: the last, all, or the first (next)"
    )

    @model_validator(mode="after")
    def _check(self) -> "RatioOptions":
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on")
        return self


class Ratio(SplitMaker[RatioOptions]):
    """Users whose history is too short for three parts are only used for training."""

    code = "ratio"
    Options = RatioOptions
    description = "cut each history by shares: train on the first part, validate on the next, test on the last"

    def make(self, data: SequenceData, options: RatioOptions) -> Split:
        """Split each history. Raises UserError if no user's is long enough."""
        lengths = data.lengths
        validating, testing = _part(lengths, options.validation_share), _part(lengths, options.test_share)
        enough = lengths - validating - testing >= 1
        users = np.flatnonzero(enough)
        if len(users) == 0:
            raise UserError(
                f"ratio needs users with interactions for training, validation and test, but none of the "
                f"{data.num_users:,} users of {data.name} has that many"
            )
        start, end = np.asarray(data.offsets[:-1]), np.asarray(data.offsets[1:])
        test_begin = (end - testing)[users]
        validation_begin = test_begin - validating[users]
        train_end = end.copy()
        train_end[users] = validation_begin
        return Split(
            code=self.code,
            data=data,
            train_start=start,
            train_end=train_end,
            validation=hold_out(data, users, validation_begin, test_begin, options.targets),
            test=hold_out(data, users, test_begin, end[users], options.targets),
        )


def _part(lengths: IntArray, share: float) -> IntArray:
    """A share of each length, rounded down (0.1 of 30 is 3, whatever binary fractions say), at least 1."""
    part: IntArray = np.floor(lengths * share + 1e-9).astype(np.int64)
    return np.maximum(part, 1)
