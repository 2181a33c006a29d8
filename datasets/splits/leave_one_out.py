"""Leave-one-out: a user's last interaction is for test, the one before for validation, the rest for training."""

import numpy as np

from common.errors import UserError
from common.schema import Options
from datasets.sequence_data import Heldout, IntArray, SequenceData, Split
from datasets.splits.base import SplitMaker


class LeaveOneOutOptions(Options):
    """Leave-one-out has no options."""


class LeaveOneOut(SplitMaker[LeaveOneOutOptions]):
    """Users with fewer than 3 interactions are only used for training. The input is everything before the target."""

    code = "leave_one_out"
    Options = LeaveOneOutOptions
    description = "test on each user's last interaction, validate on the one before it, train on the rest"

    def make(self, data: SequenceData, options: LeaveOneOutOptions) -> Split:
        """Split by position. Raises UserError if no user has 3 interactions."""
        enough = data.lengths >= 3
        users = np.flatnonzero(enough)
        if len(users) == 0:
            raise UserError(
                f"leave_one_out needs users with at least 3 interactions, but none of the "
                f"{data.num_users:,} users of {data.name} has that many"
            )
        start = np.asarray(data.offsets[:-1])
        end = np.asarray(data.offsets[1:])
        return Split(
            code=self.code,
            data=data,
            train_start=start,
            train_end=np.where(enough, end - 2, end),
            validation=_one_target(users, start[users], end[users] - 2),
            test=_one_target(users, start[users], end[users] - 1),
        )


def _one_target(users: IntArray, start: IntArray, target: IntArray) -> Heldout:
    """One target per user; the input is everything before it."""
    return Heldout(
        users=users,
        input_start=start,
        input_end=target,
        targets=target,
        target_offsets=np.arange(len(users) + 1, dtype=np.int64),
    )
