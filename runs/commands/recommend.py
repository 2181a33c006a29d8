"""Mode recommend: generate top-k recommendations, by original ids, as a table on disk."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pyarrow import csv, parquet
from pydantic import Field, field_validator

from common.errors import UserError
from common.files import atomic_path
from common.schema import Options
from dataloaders.base import as_int64
from dataloaders.windows import Int, gather_padded
from datasets.file_options import FileFormat
from evaluation import check_scores, top_items
from options import Resolved
from runs.command import Command
from runs.given import run_options_given
from runs.histories import History, Recipients, first_few, known_users, new_users
from runs.run_options import RunOptions
from runs.trained import TrainedRun, load_run
from trainers.progress import Progress

log = logging.getLogger(__name__)
BLOCK = 32  # this many batches are sorted by the length of histories, and written together
SUFFIXES = (".parquet", ".csv")
Found = tuple[NDArray[np.int64], NDArray[np.float32]]  # items [n, k], PAD where fewer are left, and their scores


class RecommendOptions(Options):
    """The users, the number of items per user, and the file to write."""

    users: str | None = Field(
        None,
        min_length=1,
        description="all, or a file of user ids (one per line, or a column of a .csv, .tsv or .parquet file)",
    )
    histories: Path | None = Field(
        None, description="instead of `users`: a file of interactions of new users, in a format of dataset `file`"
    )
    file_format: FileFormat = Field("auto", description="the format of `histories`, see dataset `file`")
    topk: int = Field(20, ge=1, description="items per user; fewer if fewer are left")
    output: Path = Field(Path("recommendations.parquet"), description="the file to write: .parquet or .csv")
    history: History = Field(
        "all",
        description="the model's input for a user in the data: all interactions, the training interactions, or the "
        "input of the test set",
    )
    filter_seen: bool | None = Field(
        None, description="leave out the items of a user's history; null = as in the run's evaluation"
    )
    empty_histories: Literal["nothing", "popular"] = Field(
        "nothing",
        description="recommendations for users without a known item: nothing, or the most popular items",
    )
    batch_size: int | None = Field(None, ge=1, description="users per batch; null = the run's eval_batch_size")
    dataset_path: Path | None = Field(None, description="current path of the run's data file; null = unchanged")
    local_data_folder: Path | None = Field(None, description="folder of prepared datasets; null = that of the run")

    @field_validator("output")
    @classmethod
    def _known_suffix(cls, path: Path) -> Path:
        if path.suffix not in SUFFIXES:
            raise ValueError(f"should end in {' or '.join(SUFFIXES)}")
        return path


@dataclass(frozen=True)
class Written:
    """What was written. `empty`: number of users without a known item; `seconds`: time for scoring and writing."""

    label: str
    output: Path
    users: int
    rows: int
    empty: int
    seconds: float


def recommend(resolved: Resolved) -> Written:
    """Write top-k recommendations. Raises UserError for users or models that can't have any."""
    options, run_options = resolved.section("recommend", RecommendOptions), resolved.section("run", RunOptions)
    if (options.users is None) == (options.histories is None):
        raise UserError("give either --users (all, or a file of ids) or --histories (a file of interactions)")
    if options.output.exists() and not run_options.overwrite:
        raise UserError(f"{options.output} exists: give another --output, or --overwrite true to replace it")
    if run_options.pretrained_weights is None:
        raise UserError("mode recommend needs a trained run: give its folder by --pretrained_weights")
    changes = {
        "dataset_path": options.dataset_path,
        "local_data_folder": options.local_data_folder,
        "filter_seen": options.filter_seen,
        "eval_batch_size": options.batch_size,
    }
    run = load_run(
        run_options.pretrained_weights,
        run_options_given(resolved),
        **{key: value for key, value in changes.items() if value is not None},
    )
    _check_model(run, new=options.histories is not None)
    if options.histories is not None:
        recipients = new_users(run, options.histories, options.file_format)
    else:
        recipients = known_users(run, options.users or "all", options.history)
    empty = recipients.end == recipients.start
    if empty.any():
        log.warning(
            "%d of %d users have no item that the model knows and get %s: %s",
            np.count_nonzero(empty),
            len(empty),
            "the most popular items" if options.empty_histories == "popular" else "nothing",
            first_few(recipients.ids[empty]),
        )
    began = time.perf_counter()
    with _table(options.output, recipients.ids, np.asarray(run.experiment.loader.data.item_ids)) as write:
        rows = _recommend(run, recipients, options, write)
    return Written(
        run.experiment.config.label,
        options.output,
        len(recipients.ids),
        rows,
        int(np.count_nonzero(empty)),
        time.perf_counter() - began,
    )


def _check_model(run: TrainedRun, new: bool) -> None:
    """Refuse a model that can't rank items for users, or for `new` users."""
    code = run.experiment.model.code
    if run.experiment.loader.code == "item_ratings":
        raise UserError(
            f"model {code} predicts the ratings of an item and can't rank items for users; use autorec_user"
        )
    refusal = run.experiment.model.new_user_refusal
    if new and refusal is not None:
        raise UserError(f"model {code} can't serve new histories: {refusal}. Give --users, or another model's run")


def _recommend(
    run: TrainedRun, recipients: Recipients, options: RecommendOptions, write: Callable[[Int, Found], int]
) -> int:
    """Score in batches and write in blocks; returns the number of rows."""
    evaluation = run.experiment.config.evaluation
    filter_seen = evaluation.filters_seen(run.experiment.loader.data.repeats)
    lengths, size = recipients.end - recipients.start, evaluation.eval_batch_size
    k = min(options.topk, run.experiment.loader.data.num_items)
    counts = (
        torch.from_numpy(run.experiment.loader.training_item_counts()).float()
        if options.empty_histories == "popular"
        else None
    )
    batches, total = _batches(lengths, size), -(-len(lengths) // size)
    rows_written, block = 0, []
    with torch.inference_mode():
        for number, rows in enumerate(Progress().shown(batches, total, "recommend"), 1):
            block.append((rows, _top(run, recipients, rows, k, filter_seen)))
            empty = np.flatnonzero(lengths[rows] == 0)
            if len(empty):
                _fill(block[-1][1], empty, k, counts)
            if number % BLOCK == 0 or number == total:
                rows_written += write(*_in_order(block))
                block = []
    return rows_written


def _batches(lengths: Int, size: int) -> Iterator[Int]:
    """The users in batches; within a block of batches, users with histories of similar length are together."""
    for first in range(0, len(lengths), BLOCK * size):
        order = first + np.argsort(lengths[first : first + BLOCK * size], kind="stable")
        for begin in range(0, len(order), size):
            yield order[begin : begin + size]


def _in_order(block: list[tuple[Int, Found]]) -> tuple[Int, Found]:
    """The users of a block in their own order."""
    rows = np.concatenate([rows for rows, _ in block])
    order = np.argsort(rows)
    items, scores = (np.concatenate([found[part] for _, found in block])[order] for part in (0, 1))
    return rows[order], (items, scores)


def _top(run: TrainedRun, recipients: Recipients, rows: Int, k: int, filter_seen: bool) -> Found:
    """The best items for these users; among equal scores, lower item numbers come first."""
    loader, start, end = recipients.loader, recipients.start[rows], recipients.end[rows]
    scores = run.experiment.model.scores_in_parts(
        loader.inputs(recipients.users[rows], start, end).to(run.experiment.device)
    )  # [B, V + 1]
    check_scores(scores, run.experiment.model.code)
    seen = None
    if filter_seen:
        seen = as_int64(gather_padded(loader.data.items, start, end, int((end - start).max()))).to(
            run.experiment.device
        )
    items = top_items(scores, k, seen)
    best = scores.gather(1, items).float().masked_fill(items == 0, -torch.inf)
    of_items, of_scores = items.cpu().numpy(), best.cpu().numpy()
    order = np.lexsort((of_items, -of_scores))
    return np.take_along_axis(of_items, order, 1), np.take_along_axis(of_scores, order, 1)


def _fill(found: Found, rows: Int, k: int, counts: torch.Tensor | None) -> None:
    """Fill these rows with the most popular items, or with nothing if `counts` is None."""
    items, scores = found
    items[rows] = 0
    if counts is not None:
        popular = top_items(counts[None], k)[0]
        items[rows], scores[rows] = popular.numpy(), counts[popular].numpy()


@contextlib.contextmanager
def _table(path: Path, user_ids: NDArray[Any], item_ids: NDArray[Any]) -> Iterator[Callable[[Int, Found], int]]:
    """Yield a function that appends recommendations to the table; `path` is written when the block succeeds."""
    kinds = {"user": user_ids, "item": item_ids}
    fields = [(name, pa.string() if ids.dtype.kind == "U" else pa.int64()) for name, ids in kinds.items()]
    schema = pa.schema([*fields, ("score", pa.float32()), ("rank", pa.int32())])
    writer_class = parquet.ParquetWriter if path.suffix == ".parquet" else csv.CSVWriter
    with atomic_path(path) as temporary, writer_class(temporary, schema) as writer:

        def write(rows: Int, found: Found) -> int:
            items, scores = found
            there = items > 0
            rank = np.broadcast_to(np.arange(1, items.shape[1] + 1, dtype=np.int32), items.shape)
            user = np.broadcast_to(rows[:, None], items.shape)
            columns = [user_ids[user[there]], item_ids[items[there] - 1], scores[there], rank[there]]
            arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            return len(arrays[0])

        yield write


def _run(resolved: Resolved) -> int:
    written = recommend(resolved)
    options = resolved.section("recommend", RecommendOptions)
    served = written.users - (written.empty if options.empty_histories == "nothing" else 0)
    print(
        f"{written.label}: {written.rows:,} rows for {served:,} of {written.users:,} users in {written.output} "
        f"({written.users / written.seconds:,.0f} users per second)"
    )
    return 0


RECOMMEND = Command(("run", "recommend"), _run, RecommendOptions)
