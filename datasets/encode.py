"""Encode ids of any type as dense codes, in sorted order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int32]


def encode(column: pd.Series[int] | pd.Series[str]) -> tuple[Codes, npt.NDArray[np.generic]]:
    """Dense codes of a column of ids, in the order of the ids.

    Parameters
    ----------
    column : integers, strings or categories of strings

    Returns
    -------
    codes : int32 [rows]
    ids : [distinct] sorted ids: int64, or str sorted by code point
    """
    if pd.api.types.is_integer_dtype(column.dtype):
        return _encode_integers(column.to_numpy(dtype=np.int64))
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories()
        codes, unique = used.cat.codes.to_numpy(), used.cat.categories
    else:
        codes, unique = pd.factorize(column, sort=False)
    ids = pa.array(unique, type=pa.large_string())
    order = pc.sort_indices(ids).to_numpy()  # by UTF-8 bytes, which is the order of code points
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes], np.asarray(ids.take(pa.array(order)).to_pylist(), dtype=np.str_)


def _encode_integers(ids: npt.NDArray[np.int64]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """`encode` for integers: by table lookup if their range is small, otherwise by hash table."""
    if len(ids) == 0:
        return np.zeros(0, dtype=np.int32), ids
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids) + 1024:
        shifted = ids - low
        present = np.zeros(high - low + 1, dtype=bool)
        present[shifted] = True
        dense = np.cumsum(present, dtype=np.int32) - np.int32(1)
        return dense[shifted], np.flatnonzero(present).astype(np.int64) + low
    codes, unique = pd.factorize(ids)
    order = np.argsort(unique)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes], unique[order]


def densify(codes: Codes, ids: npt.NDArray[np.generic]) -> tuple[Codes, npt.NDArray[np.generic]]:
    """Drop ids that don't occur in `codes`, and renumber the codes accordingly."""
    present = np.bincount(codes, minlength=len(ids)) > 0
    if present.all():
        return codes, ids
    dense = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return dense[codes], ids[present]
