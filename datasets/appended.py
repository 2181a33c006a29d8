"""Interactions that come in pieces: rows already read are kept, and new files join them without reading all again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from common.log_handlers import captured_records
from common.texts import value_hash
from datasets import cache
from datasets.blocks import empty, looked_up
from datasets.encode import Codes
from datasets.order import time_order
from datasets.rows import Rows

log = logging.getLogger(__name__)

COLUMNS = ("users", "items", "ticks", "ratings", "user_ids", "item_ids", "parts")
Ids = npt.NDArray[np.generic]


def read_pieces(
    paths: Sequence[Path],
    folders: Sequence[Path],
    read: Callable[[Path], Rows],
    loggers: Sequence[str],
    in_time_order: bool,
) -> Rows:
    """The rows of several files, one below the other, reading only the files that aren't in the cache yet.

    Parameters
    ----------
    paths : the files, each continuing those before it
    folders : of each file, the cache folder for the rows up to and including it
    read : reads one file
    loggers : loggers whose messages describe the files; they are cached, and logged again
    in_time_order : keep each user's rows in time order, so that they are sorted in little more than one pass

    Raises
    ------
    UserError
        The files don't have the same columns, or one can't be read.
    """
    known, old, notes = _read_before(folders)
    for level, note in notes:
        log.log(level, note)
    with captured_records(loggers) as records:
        pieces = old + [read(path) for path in paths[known:]]
    if known == len(paths):
        return pieces[0]
    rows = join_rows(pieces, [paths[0], *paths[max(known, 1) :]])
    del old, pieces
    if in_time_order:
        rows.keep(time_order(rows.users, rows.items, rows.ticks))
    described: dict[str, Any] = {"ticks_per_second": rows.ticks_per_second}
    described["notes"] = notes + [(record.levelno, record.getMessage()) for record in records]
    cache.store_arrays(folders[-1], {key: getattr(rows, key) for key in COLUMNS}, described)
    log.info("%d of %d files were read; the rows of the others were in the cache", len(paths) - known, len(paths))
    if known:
        cache.remove(folders[known - 1])
    return rows


def _read_before(folders: Sequence[Path]) -> tuple[int, list[Rows], list[tuple[int, str]]]:
    """How many files were read before, and if there are any, their rows in one piece, and the messages about them."""
    for known in range(len(folders), 0, -1):
        found = cache.load_arrays(folders[known - 1], COLUMNS, _from_cache)
        if found is not None:
            return known, [found[0]], found[1]
    return 0, [], []


def _from_cache(arrays: dict[str, Any], meta: dict[str, Any]) -> tuple[Rows, list[tuple[int, str]]]:
    rows = Rows(**arrays, ticks_per_second=int(meta["ticks_per_second"]))
    if any(column is not None and len(column) != len(rows) for column in (rows.items, rows.ticks, rows.ratings)):
        raise ValueError("the columns have different lengths")
    return rows, cache.notes_of(meta)


def join_rows(pieces: Sequence[Rows], paths: Sequence[Path], scratch: Path | None = None) -> Rows:
    """The rows of all pieces in order, encoded as if they had been read from one file; `scratch` as in `encode`.

    Raises UserError, which names the paths of the pieces, if they don't have the same columns.
    """
    columns = [_columns(piece) for piece in pieces]
    for path, found in zip(paths, columns, strict=True):
        if found != columns[0]:
            raise UserError(
                f"{path} has the columns {', '.join(found)}, but {paths[0]} has {', '.join(columns[0])}: all must have "
                "the same (to ignore one: --rating_column '', --timestamp_column '')"
            )
    if len(pieces) == 1:
        return pieces[0]
    users, user_ids = _join_codes([piece.users for piece in pieces], [piece.user_ids for piece in pieces], scratch)
    items, item_ids = _join_codes([piece.items for piece in pieces], [piece.item_ids for piece in pieces], scratch)
    per_second = max(piece.ticks_per_second for piece in pieces)
    steps = [per_second // piece.ticks_per_second for piece in pieces]
    ticks = [p.ticks if step == 1 or p.ticks is None else p.ticks * step for p, step in zip(pieces, steps, strict=True)]
    ratings, parts = [piece.ratings for piece in pieces], [piece.parts for piece in pieces]
    timed, rated, parted = (_stacked(each, scratch) for each in (ticks, ratings, parts))
    return Rows(users, items, timed, rated, user_ids, item_ids, per_second, parted, scratch)


def _stacked(columns: Sequence[npt.NDArray[Any] | None], scratch: Path | None) -> Any:
    """The columns one below the other; None if there are none."""
    present = [column for column in columns if column is not None]
    if not present:
        return None
    stacked, end = empty(sum(map(len, present)), present[0].dtype, scratch), 0
    for column in present:
        stacked[end : end + len(column)] = column
        end += len(column)
    return stacked


def _columns(rows: Rows) -> list[str]:
    more = {"rating": rows.ratings, "timestamp": rows.ticks, "split_column": rows.parts}
    return ["user", "item", *(name for name, column in more.items() if column is not None)]


def _join_codes(codes: list[Codes], ids: list[Ids], scratch: Path | None) -> tuple[Codes, Ids]:
    """Codes of all pieces, and their sorted distinct ids; all ids become text if those of one piece are."""
    if len({each.dtype.kind for each in ids}) > 1:
        for place, numbers in enumerate(ids):
            text = numbers.astype(np.str_)
            order = np.argsort(text)
            rank = np.empty(len(order), dtype=np.int32)
            rank[order] = np.arange(len(order), dtype=np.int32)
            ids[place], codes[place] = text[order], rank[codes[place]]
    joined = ids[0]
    for each in ids[1:]:
        joined = _union(joined, each)
    if joined.dtype.kind == "U":  # no wider than the longest, as the hash of the data depends on it
        joined = joined.astype(f"<U{int(np.strings.str_len(joined.astype(np.str_)).max())}")
    moved = []
    for own, each in zip(codes, ids, strict=True):
        places = np.searchsorted(joined, each).astype(np.int32)
        moved.append(own if len(each) == len(joined) else looked_up(places, own, scratch))
    return _stacked(moved, scratch), joined


def _union(one: Ids, other: Ids) -> Ids:
    """The sorted union of sorted distinct ids; quick if there are few new ones."""
    kind = np.result_type(one, other)
    one, other = one.astype(kind, copy=False), other.astype(kind, copy=False)
    places = np.searchsorted(one, other)
    known = np.zeros(len(other), dtype=bool)
    inside = places < len(one)
    known[inside] = one[places[inside]] == other[inside]
    return np.insert(one, places[~known], other[~known])


def folders_of(base: Path, how: dict[str, Any], contents: Sequence[str]) -> list[Path]:
    """The cache folder in `base` for the rows of the first file, of the first two, ...

    how : what else the rows depend on, for JSON
    contents : of each file, a hash of its content
    """
    return [base / f"rows-{value_hash([how, contents[: last + 1]], 20)}" for last in range(len(contents))]
