"""The users to recommend for: users in the data, chosen by their ids, or new histories from a file."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from dataloaders import Dataloader
from dataloaders.windows import Int
from datasets import SequenceData
from datasets.base import DatasetOptions, RawInteractions
from datasets.file import File
from datasets.file_options import FileFormat, FileOptions
from datasets.prepare import encode_rows, prepare
from datasets.readers.columns import ColumnError
from runs.experiment import make_loader
from runs.id_files import Ids, listed_users, places_of
from runs.trained import TrainedRun

log = logging.getLogger(__name__)
History = Literal["all", "train", "test"]
READING_OPTIONS = (
    *("user_column", "item_column", "rating_column", "timestamp_column", "timestamp_format"),
    *("event_column", "events", "keep", "skip_bad_rows"),
)


@dataclass(frozen=True)
class Recipients:
    """n users: original `ids`, indices `users` in the loader's data, and histories `items[start:end]` there."""

    loader: Dataloader
    ids: Ids
    users: Int
    start: Int
    end: Int


def known_users(run: TrainedRun, users: str, history: History) -> Recipients:
    """All users of the data (if `users` is "all"), or those listed in a file, in its order."""
    data = run.experiment.loader.data
    all_users = np.arange(data.num_users)
    chosen = all_users if users == "all" else listed_users(Path(users), data.user_ids, data.name)
    start, end = _histories(run.experiment.loader, history)
    return Recipients(run.experiment.loader, np.asarray(data.user_ids)[chosen], chosen, start[chosen], end[chosen])


def _histories(loader: Dataloader, history: History) -> tuple[Int, Int]:
    """Bounds of each user's history: all interactions, the training interactions, or the input of the test set."""
    split, offsets = loader.split, np.asarray(loader.data.offsets)
    if history == "all":
        return offsets[:-1], offsets[1:]
    start, end = split.train_start.copy(), split.train_end.copy()
    if history == "test":
        test = split.test
        if len(test.users) == 0:
            raise UserError(
                "the run was trained on all interactions (train_on all), so it has no test set: give --history all"
            )
        start[test.users], end[test.users] = test.input_start, test.input_end
    return start, end


def new_users(run: TrainedRun, path: Path, file_format: FileFormat) -> Recipients:
    """The users of a file of histories. Items not in the data are dropped, so a history may be empty.

    Ratings are filtered and repeats merged as in the run's data. The loader holds the run's data, followed by these
    histories.
    """
    options = run.experiment.config.dataset
    ids, added, unknown = _read_histories(path, file_format, run.experiment.loader.data, options)
    if unknown.any():
        items = int(np.count_nonzero(unknown))
        log.warning(
            "%s: dropped %d interactions with items that are not in %s", path, items, run.experiment.loader.data.name
        )
    needs = run.experiment.model.required(run.experiment.model.options)
    lacking = sorted(need for need in needs if getattr(added, need) is None)
    if lacking:
        raise UserError(f"model {run.experiment.model.code} needs {' and '.join(lacking)}, and {path} has none")
    loader = with_histories(run, added)
    users = np.arange(added.num_users) + run.experiment.loader.data.num_users
    offsets = np.asarray(loader.data.offsets)
    return Recipients(loader, ids, users, offsets[users], offsets[users + 1])


def _read_file(path: Path, file_format: FileFormat, options: DatasetOptions) -> RawInteractions:
    """The interactions of a file, read with the column names given for the run's own file.

    If one of these columns is missing, the usual names are tried.
    """
    named = {key: getattr(options, key) for key in READING_OPTIONS} if isinstance(options, FileOptions) else {}
    first: ColumnError | None = None
    while True:
        try:
            return File().read(FileOptions(dataset_path=path, file_format=file_format, **named))
        except ColumnError as error:
            first = first or error
            if error.role == "event":
                log.warning("%s; all rows are used, unlike in the run's own file", error)
                named |= {"event_column": "", "events": (), "keep": ()}
                continue
            key = f"{error.role}_column"
            if not named.get(key):
                raise first from None
            log.warning("%s has no column %s, unlike the run's own file; trying the usual names", path, named[key])
            named[key] = None


def _read_histories(
    path: Path, file_format: FileFormat, data: SequenceData, options: DatasetOptions
) -> tuple[Ids, SequenceData, NDArray[np.bool_]]:
    """(user ids in the file, histories of items in the data, a mask of the interactions with unknown items)."""
    if not path.is_file():
        raise UserError(f"histories {path}: there is no such file")
    raw = _read_file(path, file_format, options)
    rows = encode_rows(raw.frame, raw.ticks_per_second)
    ids, rules = rows.user_ids, options.rules()
    rules = replace(
        rules,
        min_rating=None if rows.ratings is None else rules.min_rating,
        tie_order="file" if rows.ticks is None else rules.tie_order,
        drop_copies=rules.drop_copies and rows.ticks is not None,
        since=None,
        until=None,
        min_uc=0,
        min_sc=0,
        subsample_users=None,
        max_items=None,
    )
    prepared = prepare(rows, rules, name=path.name)
    item = places_of(prepared.item_ids, data.item_ids)[prepared.items - 1] + 1  # 0 = unknown
    known = item > 0
    user = np.repeat(places_of(prepared.user_ids, ids), prepared.lengths)[known]
    kept = replace(
        prepared,
        items=item[known].astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(ids)))]).astype(np.int64),
        timestamps=None if prepared.timestamps is None else prepared.timestamps[known],
        ratings=None if prepared.ratings is None else prepared.ratings[known],
        user_ids=ids,
        item_ids=data.item_ids,
    )
    return ids, kept, ~known


def with_histories(run: TrainedRun, added: SequenceData) -> Dataloader:
    """The run's dataloader over its data, followed by more users without training interactions.

    Missing times and ratings of the added users are set to 0.
    """
    split = run.experiment.loader.split
    data = split.data
    begin, end = data.num_interactions, data.num_interactions + added.num_interactions

    def joined(name: str) -> Any:
        own, more = getattr(data, name), getattr(added, name)
        if own is None:
            return None
        return np.concatenate([own, np.zeros(end - begin, dtype=own.dtype) if more is None else more.astype(own.dtype)])

    whole = replace(
        data,
        items=joined("items"),
        offsets=np.concatenate([data.offsets, added.offsets[1:] + begin]),
        timestamps=joined("timestamps"),
        ratings=joined("ratings"),
        user_ids=np.arange(data.num_users + added.num_users),
    )
    empty = np.asarray(added.offsets[:-1]) + begin
    train_start, train_end = np.concatenate([split.train_start, empty]), np.concatenate([split.train_end, empty])
    return make_loader(run.experiment.config, replace(split, data=whole, train_start=train_start, train_end=train_end))
