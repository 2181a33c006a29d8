"""Top-k lists for many users, in batches, written as a table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from common.files import atomic_path
from dataloaders import Batch
from dataloaders.base import as_int64
from dataloaders.windows import Int, gather_padded
from evaluation import check_scores, top_items, users_at_once
from runs.approximate import ApproximateSearch, recall, unseen
from runs.histories import Recipients
from runs.trained import TrainedRun
from trainers.progress import Progress

RECALL_USERS = 200  # whose approximate lists are compared with exact ones
BLOCK = 32  # this many batches are sorted by the length of histories, and written together
Found = tuple[NDArray[np.int64], NDArray[np.float32]]  # items [n, k], PAD where fewer are left, and their scores


def write_lists(
    run: TrainedRun,
    recipients: Recipients,
    topk: int,
    fill_empty: bool,
    barred: torch.Tensor | None,
    write: Callable[[Int, Found], None],
    search: ApproximateSearch | None = None,
) -> Int:
    """Score in batches and write in blocks.

    Parameters
    ----------
    run : the trained run
    recipients : n users and their histories
    topk : items per user
    fill_empty : whether users with an empty history get the most popular items, or nothing
    barred : bool [V + 1], items that are never recommended; None = none
    write : appends the lists of some users to a table
    search : finds the best items approximately; None = all items are scored

    Returns
    -------
    int64 [n], the length of each user's list.
    """
    evaluation = run.experiment.config.evaluation
    filter_seen = evaluation.filters_seen(run.experiment.loader.data.repeat_consumption)
    lengths, size = recipients.end - recipients.start, evaluation.eval_batch_size
    if search is None:
        size = users_at_once(size, run.experiment.loader.data.num_items)
    k = min(topk, run.experiment.loader.data.num_items)
    counts = torch.from_numpy(run.experiment.loader.training_item_counts()).float() if fill_empty else None
    batches, total = _batches(lengths, size), -(-len(lengths) // size)
    found, block = np.zeros(len(lengths), dtype=np.int64), []
    with torch.inference_mode():
        for number, rows in enumerate(Progress().shown(batches, total, "recommend"), 1):
            block.append((rows, top(run, recipients, rows, k, filter_seen, barred, search)))
            empty = np.flatnonzero(lengths[rows] == 0)
            if len(empty):
                _fill(block[-1][1], empty, k, counts, barred)
            found[rows] = (block[-1][1][0] > 0).sum(1)
            if number % BLOCK == 0 or number == total:
                write(*_in_order(block))
                block = []
    return found


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


def top(
    run: TrainedRun,
    recipients: Recipients,
    rows: Int,
    k: int,
    filter_seen: bool,
    barred: torch.Tensor | None,
    search: ApproximateSearch | None,
) -> Found:
    """The best items for these users; among equal scores, lower item numbers come first."""
    loader, start, end = recipients.loader, recipients.start[rows], recipients.end[rows]
    batch = loader.inputs(recipients.users[rows], start, end).to(run.experiment.device)
    seen = gather_padded(loader.data.items, start, end, int((end - start).max())) if filter_seen else None
    if search is None:
        return _exact(run, batch, k, seen, barred)
    model = run.experiment.model
    parts = batch.split(model.cpu_positions) if model.cpu_positions and batch.items.device.type == "cpu" else [batch]
    vectors = torch.cat([model.user_vectors(part) for part in parts])
    found = unseen(*search.nearest(vectors, k + (0 if seen is None else seen.shape[1])), seen, k)
    short = np.flatnonzero((found[0] == 0).any(1) | ~torch.isfinite(vectors).all(1).cpu().numpy())
    size = users_at_once(run.experiment.config.evaluation.eval_batch_size, loader.data.num_items)
    for first in range(0, len(short), size):
        chosen = short[first : first + size]
        exact = top(run, recipients, rows[chosen], k, filter_seen, barred, None)
        found[0][chosen], found[1][chosen] = exact
    return found


def _exact(run: TrainedRun, batch: Batch, k: int, seen: NDArray[np.int32] | None, barred: torch.Tensor | None) -> Found:
    """The best of all items for the users of a batch; `seen` [B, S] are left out."""
    scores = run.experiment.model.scores_in_parts(batch)  # [B, V + 1]
    check_scores(scores, run.experiment.model.code)
    if barred is not None:
        scores = scores.masked_fill(barred, -torch.inf)
    items = top_items(scores, k, None if seen is None else as_int64(seen).to(run.experiment.device))
    best = scores.gather(1, items).float().masked_fill(items == 0, -torch.inf)
    of_items, of_scores = items.cpu().numpy(), best.cpu().numpy()
    order = np.lexsort((of_items, -of_scores))
    return np.take_along_axis(of_items, order, 1), np.take_along_axis(of_scores, order, 1)


def measured_recall(
    run: TrainedRun, recipients: Recipients, topk: int, barred: torch.Tensor | None, search: ApproximateSearch
) -> tuple[float, int]:
    """Recall of approximate lists against exact ones, for a sample of users with a history, and its size."""
    data, evaluation = run.experiment.loader.data, run.experiment.config.evaluation
    filter_seen, k = evaluation.filters_seen(data.repeat_consumption), min(topk, data.num_items)
    known = np.flatnonzero(recipients.end > recipients.start)
    sample = np.sort(np.random.default_rng(0).permutation(known)[:RECALL_USERS])
    size = users_at_once(evaluation.eval_batch_size, data.num_items)
    found: list[list[NDArray[np.int64]]] = [[], []]
    with torch.inference_mode():
        for first in range(0, len(sample), size):
            for lists, how in zip(found, (search, None), strict=True):
                lists.append(top(run, recipients, sample[first : first + size], k, filter_seen, barred, how)[0])
    if len(sample) == 0:
        return 1.0, 0
    return recall(*map(np.concatenate, found)), len(sample)


def _fill(found: Found, rows: Int, k: int, counts: torch.Tensor | None, barred: torch.Tensor | None) -> None:
    """Fill these rows with the most popular items, or with nothing if `counts` is None."""
    items, scores = found
    items[rows] = 0
    if counts is not None:
        allowed = counts if barred is None else counts.masked_fill(barred.cpu(), -torch.inf)
        popular = top_items(allowed[None], k)[0]
        items[rows], scores[rows] = popular.numpy(), counts[popular].numpy()


@contextlib.contextmanager
def open_table(path: Path, user_ids: NDArray[Any], item_ids: NDArray[Any]) -> Iterator[Callable[[Int, Found], None]]:
    """Yield a function that appends recommendations to the table; `path` is written when the block succeeds."""
    kinds = {"user": user_ids, "item": item_ids}
    fields = [(name, pa.string() if ids.dtype.kind == "U" else pa.int64()) for name, ids in kinds.items()]
    schema = pa.schema([*fields, ("score", pa.float32()), ("rank", pa.int32())])
    writer_class = pq.ParquetWriter if path.suffix == ".parquet" else pv.CSVWriter
    with atomic_path(path) as temporary, writer_class(temporary, schema) as writer:

        def write(rows: Int, found: Found) -> None:
            items, scores = found
            there = items > 0
            rank = np.broadcast_to(np.arange(1, items.shape[1] + 1, dtype=np.int32), items.shape)
            user = np.broadcast_to(rows[:, None], items.shape)
            columns = [user_ids[user[there]], item_ids[items[there] - 1], scores[there], rank[there]]
            arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

        yield write
