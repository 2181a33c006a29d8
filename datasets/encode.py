"""Encode ids of any type as dense codes, in sorted order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datasets.blocks import blocks, counts, empty, looked_up

Codes = npt.NDArray[np.int32]
WIDEST_TABLE = 1 << 28  # of integers from the lowest to the highest id; ids farther apart are looked up by hash


def encode(
    column: pd.Series[int] | pd.Series[str], scratch: Path | None = None
) -> tuple[Codes, npt.NDArray[np.generic]]:
    """Dense codes of a column of ids, in the order of the ids.

    Parameters
    ----------
    column : integers, strings or categories of strings
    scratch : folder for long arrays, see `blocks.empty`

    Returns
    -------
    codes : int32 [rows]
    ids : [distinct] sorted ids: int64, or str sorted by code point
    """
    if pd.api.types.is_integer_dtype(column.dtype):
        return _encode_integers(column.to_numpy(dtype=np.int64), scratch)
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories()
        codes, unique = used.cat.codes.to_numpy(), used.cat.categories
    else:
        codes, unique = pd.factorize(column, sort=False)
    ids = pa.array(unique, type=pa.large_string())
    order = pc.sort_indices(ids).to_numpy()  # by UTF-8 bytes, which is the order of code points
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return looked_up(rank, codes, scratch), np.asarray(ids.take(pa.array(order)).to_pylist(), dtype=np.str_)


def _encode_integers(ids: npt.NDArray[np.int64], scratch: Path | None) -> tuple[Codes, npt.NDArray[np.int64]]:
    """`encode` for integers: by table lookup if their range is small, otherwise by hash table."""
    if len(ids) == 0:
        return np.zeros(0, dtype=np.int32), ids
    codes = empty(len(ids), np.int32, scratch)
    low, high = int(ids.min()), int(ids.max())
    if high - low < min(4 * len(ids) + 1024, WIDEST_TABLE):
        present = np.zeros(high - low + 1, dtype=bool)
        for block in blocks(len(ids)):
            present[ids[block] - low] = True
        dense = np.cumsum(present, dtype=np.int32)
        dense -= 1
        for block in blocks(len(ids)):
            codes[block] = dense[ids[block] - low]
        return codes, np.flatnonzero(present).astype(np.int64) + low
    unique = _distinct(ids)
    index = pd.Index(unique)
    for block in blocks(len(ids)):
        codes[block] = index.get_indexer(ids[block])
    return codes, unique


def _distinct(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sorted distinct ids, found in blocks; merged whenever their number has doubled."""
    found, more = ids[:0], [ids[:0]]
    for block in blocks(len(ids)):
        more.append(np.unique(ids[block]))
        if sum(map(len, more)) > len(found):
            found, more = np.unique(np.concatenate([found, *more])), []
    return np.unique(np.concatenate([found, *more]))


def densify(
    codes: Codes, ids: npt.NDArray[np.generic], scratch: Path | None = None
) -> tuple[Codes, npt.NDArray[np.generic]]:
    """Drop ids that don't occur in `codes`, and renumber the codes accordingly; `scratch` as in `encode`."""
    present = counts(codes, len(ids)) > 0
    if present.all():
        return codes, ids
    return looked_up(np.cumsum(present, dtype=np.int32) - np.int32(1), codes, scratch), ids[present]
