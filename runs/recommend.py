"""Mode recommend: the best items of each user, by original ids, as a table on disk."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from datasets.file import FileFormat
from evaluation import check_scores, top_items
from evaluation.options import EvaluationOptions
from options.request import Request
from runs.build import run_options
from runs.folders import label_of
from runs.histories import History, People, known_people, new_people, shown
from runs.trained import TrainedRun, load_trained
from trainers.progress import Progress

log = logging.getLogger(__name__)
BLOCK = 32  # batches whose users are sorted by the length of their histories, and written together
SUFFIXES = (".parquet", ".csv")
Found = tuple[NDArray[np.int64], NDArray[np.float32]]  # items [n, k], PAD where fewer are left, and their scores


class RecommendOptions(Options):
    """Whom to recommend how much, and where to write it."""

    users: str | None = Field(
        None,
        min_length=1,
        description="for whom: all, or a file of user ids (a line each, or a column of a .csv, .tsv or .parquet file)",
    )
    histories: Path | None = Field(
        None, description="for new users, in place of `users`: a file of their interactions, as dataset `file` reads it"
    )
    file_format: FileFormat = Field("auto", description="the form of `histories`, see dataset `file`")
    topk: int = Field(20, ge=1, description="items for each user; fewer where fewer are left")
    output: Path = Field(Path("recommendations.parquet"), description="the file to write: .parquet or .csv")
    history: History = Field(
        "all",
        description="what the model is given of a user of the data: all interactions, those that it was trained on, or "
        "the input that it is tested with",
    )
    filter_seen: bool | None = Field(
        None, description="leave out what is in a user's history; null = as the run was measured"
    )
    empty_histories: str = Field(
        "nothing",
        pattern="^(nothing|popular)$",
        description="what users get of whom no item is known: nothing, or the items most trained on",
    )
    batch_size: int | None = Field(None, ge=1, description="users in a batch; null = the run's eval_batch_size")
    dataset_path: Path | None = Field(None, description="where the file of the run's data is now; null = where it was")
    local_data_folder: Path | None = Field(None, description="folder of prepared datasets; null = as the run had it")

    @field_validator("output")
    @classmethod
    def _known_suffix(cls, path: Path) -> Path:
        if path.suffix not in SUFFIXES:
            raise ValueError(f"should end in {' or '.join(SUFFIXES)}")
        return path


@dataclass(frozen=True)
class Written:
    """What was written where; empty: users without any known item; seconds: of scoring and writing."""

    label: str
    output: Path
    users: int
    rows: int
    empty: int
    seconds: float


def recommend(request: Request) -> Written:
    """Write the top lists that the options ask for. Raises UserError for users or models that can't have them."""
    options = request.sections["recommend"]
    assert isinstance(options, RecommendOptions)
    if (options.users is None) == (options.histories is None):
        raise UserError("for whom? Give either --users (all, or a file of ids) or --histories (a file of interactions)")
    if options.output.exists() and not run_options(request).overwrite:
        raise UserError(f"{options.output} exists: give another --output, or --overwrite true to replace it")
    run = load_trained(
        request,
        dataset_path=options.dataset_path,
        local_data_folder=options.local_data_folder,
        filter_seen=options.filter_seen,
        eval_batch_size=options.batch_size,
    )
    _check_model(run, new=options.histories is not None)
    if options.histories is not None:
        people = new_people(run, options.histories, options.file_format)
    else:
        people = known_people(run, options.users or "all", options.history)
    empty = people.end == people.start
    if empty.any():
        log.warning(
            "%d of %d users have no item that the model knows and get %s: %s",
            np.count_nonzero(empty),
            len(empty),
            "the items most trained on" if options.empty_histories == "popular" else "nothing",
            shown(people.ids[empty]),
        )
    began = time.perf_counter()
    with _table(options.output, people.ids, np.asarray(run.loader.data.item_ids)) as write:
        rows = _recommend(run, people, options, write)
    return Written(
        label_of(run.request),
        options.output,
        len(people.ids),
        rows,
        int(np.count_nonzero(empty)),
        time.perf_counter() - began,
    )


def _check_model(run: TrainedRun, new: bool) -> None:
    """Refuse a model that makes no lists, or none for users that it wasn't trained on."""
    code = run.model.code
    if run.loader.code == "item_ratings":
        raise UserError(f"model {code} predicts the ratings of an item: it makes no lists for users; autorec_user does")
    refusal = run.model.new_user_refusal
    if new and refusal is not None:
        raise UserError(f"model {code} can't serve new histories: {refusal}. Give --users, or another model's run")


def _recommend(run: TrainedRun, people: People, options: RecommendOptions, write: Callable[[Int, Found], int]) -> int:
    """Score in batches and write in blocks; returns the number of rows."""
    evaluation = run.request.sections["evaluation"]
    assert isinstance(evaluation, EvaluationOptions)
    filter_seen = evaluation.filters_seen(run.loader.data.repeats)
    lengths, size = people.end - people.start, evaluation.eval_batch_size
    k = min(options.topk, run.loader.data.num_items)
    counts = (
        torch.from_numpy(run.loader.training_item_counts()).float() if options.empty_histories == "popular" else None
    )
    batches, total = _batches(lengths, size), -(-len(lengths) // size)
    rows_written, block = 0, []
    with torch.inference_mode():
        for number, rows in enumerate(Progress().shown(batches, total, "recommend"), 1):
            block.append((rows, _top(run, people, rows, k, filter_seen)))
            empty = np.flatnonzero(lengths[rows] == 0)
            if len(empty):
                _fill(block[-1][1], empty, k, counts)
            if number % BLOCK == 0 or number == total:
                rows_written += write(*_in_order(block))
                block = []
    return rows_written


def _batches(lengths: Int, size: int) -> Iterator[Int]:
    """The users in blocks, in each block those with histories of similar length together."""
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


def _top(run: TrainedRun, people: People, rows: Int, k: int, filter_seen: bool) -> Found:
    """The best items of these users; of equal scores the item with the lower number first."""
    loader, start, end = people.loader, people.start[rows], people.end[rows]
    scores = run.model.scores_in_parts(loader.inputs(people.users[rows], start, end).to(run.device))  # [B, V + 1]
    check_scores(scores, run.model.code)
    seen = None
    if filter_seen:
        seen = as_int64(gather_padded(loader.data.items, start, end, int((end - start).max()))).to(run.device)
    items = top_items(scores, k, seen)
    best = scores.gather(1, items).float().masked_fill(items == 0, -torch.inf)
    of_items, of_scores = items.cpu().numpy(), best.cpu().numpy()
    order = np.lexsort((of_items, -of_scores))
    return np.take_along_axis(of_items, order, 1), np.take_along_axis(of_scores, order, 1)


def _fill(found: Found, rows: Int, k: int, counts: torch.Tensor | None) -> None:
    """Give these rows the most popular items, or nothing."""
    items, scores = found
    items[rows] = 0
    if counts is not None:
        popular = top_items(counts[None], k)[0]
        items[rows], scores[rows] = popular.numpy(), counts[popular].numpy()


@contextlib.contextmanager
def _table(path: Path, user_ids: NDArray[Any], item_ids: NDArray[Any]) -> Iterator[Callable[[Int, Found], int]]:
    """A function that appends lists to the table at `path`, which is there when the block ends well."""
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
