"""The split that comes with the data: from files for validation and test, or from a column."""

import logging

import numpy as np
from pydantic import Field

from common.errors import UserError
from common.plurals import counted
from common.schema import Options
from datasets.sequence_data import Heldout, IntArray, SequenceData, Split
from datasets.splits.base import SplitMaker
from datasets.splits.select import select_interactions, users_of
from datasets.splits.targets import Targets, hold_out

log = logging.getLogger(__name__)
TRAIN, VALIDATION, TEST = 0, 1, 2


class FilesOptions(Options):
    """Options of split `files`."""

    targets: Targets = Field(
        "all", description="targets among a user's interactions of a part: the last, all, or the first (next)"
    )


class Files(SplitMaker[FilesOptions]):
    """Each user's interactions are reordered: training, validation, test. The input of test includes validation."""

    code = "files"
    Options = FilesOptions
    description = "your own split: files for validation and test beside the training file, or a column that names it"

    def make(self, data: SequenceData, options: FilesOptions) -> Split:
        """Split by the data's parts. Raises UserError if there are none, or one has no user to use."""
        if data.parts is None:
            raise UserError(
                f"split files needs data that comes with its split, and {data.name} doesn't: give --validation_path "
                "and --test_path, or --split_column"
            )
        parts = np.asarray(data.parts, dtype=np.int64)
        order = np.argsort(3 * users_of(data) + parts, kind="stable")
        data, parts = select_interactions(data, order), parts[order]
        user = users_of(data)
        counts = [np.bincount(user[parts == part], minlength=data.num_users) for part in (TRAIN, VALIDATION)]
        start, end = np.asarray(data.offsets[:-1]), np.asarray(data.offsets[1:])
        validation_start = start + counts[TRAIN]
        test_start = validation_start + counts[VALIDATION]
        trained = np.flatnonzero(counts[TRAIN] > 0)
        split = Split(
            code=self.code,
            data=data,
            train_start=start,
            train_end=validation_start,
            validation=hold_out(data, trained, validation_start[trained], test_start[trained], options.targets),
            test=hold_out(data, trained, test_start[trained], end[trained], options.targets),
            in_time=_newer_inputs(data) == 0,
        )
        _report(split, user, parts)
        return split


def _newer_inputs(data: SequenceData) -> int:
    """Number of users whose reordered interactions are not in time order."""
    if data.timestamps is None or data.num_interactions == 0:
        return 0
    times, user = np.asarray(data.timestamps), users_of(data)
    back = (times[1:] < times[:-1]) & (user[1:] == user[:-1])
    return len(np.unique(user[1:][back]))


def _report(split: Split, user: IntArray, parts: IntArray) -> None:
    """Log what is trained on and evaluated, and what can't be. Raises UserError if nothing can."""
    data = split.data
    evaluated: dict[str, tuple[Heldout, int]] = {"validation": (split.validation, 1), "test": (split.test, 2)}
    for name, (heldout, part) in evaluated.items():
        users = len(np.unique(user[parts == part]))
        if len(heldout.users) == 0:
            raise UserError(
                f"split files leaves no {name} user: {users:,} users of {data.name} have {name} interactions, and none "
                "of them has training interactions (are the ids written alike? do min_uc and min_sc drop them?)"
            )
        if users > len(heldout.users):
            log.warning(
                "%s: %d of %d %s users without training interactions are not evaluated",
                *(data.name, users - len(heldout.users), users, name),
            )
        known = np.zeros(data.num_items + 1, dtype=bool)
        known[np.asarray(data.items)[parts == TRAIN]] = True
        new = ~known[np.asarray(data.items)[heldout.targets]]
        if new.any():
            log.warning(
                "%s: %d of %d %s targets have items without training interactions: most models can't find them",
                *(data.name, int(new.sum()), len(new), name),
            )
    if not split.in_time:
        log.warning(
            "%s: interactions of %s are newer than some in a later part: training or input may tell the future",
            *(data.name, counted(_newer_inputs(data), "user")),
        )
    log.info(
        "files: %d training interactions, %d validation and %d test users",
        *(int((parts == TRAIN).sum()), len(split.validation.users), len(split.test.users)),
    )
