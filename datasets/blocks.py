"""Long arrays, in memory or in temporary files, and work on them in blocks, so that nothing else grows with them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from common.errors import UserError

BLOCK = 1 << 20  # elements worked on at a time
SLOW_ROWS = 50_000_000  # from which on progress is shown


def blocks(length: int) -> Iterator[slice]:
    """Slices of up to BLOCK elements that cover `length` elements."""
    return (slice(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK))


def progress(total: int, what: str) -> tqdm[None]:
    """A bar on the screen that counts `total` rows; hidden if they take no time."""
    return tqdm(total=total, desc=what, unit=" rows", unit_scale=True, disable=total < SLOW_ROWS or None, leave=False)


def empty(length: int, dtype: npt.DTypeLike, scratch: Path | None = None) -> npt.NDArray[Any]:
    """A new array with undefined values.

    Parameters
    ----------
    length : number of elements
    dtype : type of the elements
    scratch : folder for its file, which vanishes with the array; None = in memory

    Raises
    ------
    UserError
        There is no space in the folder.
    """
    if scratch is None or length == 0:
        return np.empty(length, dtype=dtype)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=scratch) as file:
            return np.memmap(file, dtype=np.dtype(dtype), mode="w+", shape=(length,))
    except OSError as error:
        raise UserError(f"can't write temporary arrays to {scratch}: {error.strerror or error}") from error


def in_scratch(values: npt.NDArray[Any], scratch: Path | None) -> npt.NDArray[Any]:
    """The values in a file, if there is a folder for it and they are in memory; otherwise as they are."""
    if scratch is None or _is_mapped(values):
        return values
    found = empty(len(values), values.dtype, scratch)
    found[:] = values
    return found


def _is_mapped(values: npt.NDArray[Any]) -> bool:
    """Whether an array is, or is a view of, a memory map."""
    base: object = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False


def counts(codes: npt.NDArray[np.integer[Any]], length: int) -> npt.NDArray[np.int64]:
    """int64 [length]: how often each code from 0 to length - 1 occurs."""
    found = np.zeros(length, dtype=np.int64)
    step = max(BLOCK, length)  # a block costs as much as `length`
    for start in range(0, len(codes), step):
        found += np.bincount(codes[start : start + step], minlength=length)
    return found


def looked_up(
    table: npt.NDArray[Any], codes: npt.NDArray[np.integer[Any]], scratch: Path | None = None
) -> npt.NDArray[Any]:
    """`table[codes]`."""
    values = empty(len(codes), table.dtype, scratch)
    for block in blocks(len(codes)):
        values[block] = table[codes[block]]
    return values


def kept(values: npt.NDArray[Any], mask: npt.NDArray[np.bool_], scratch: Path | None = None) -> npt.NDArray[Any]:
    """`values[mask]`."""
    found = empty(int(np.count_nonzero(mask)), values.dtype, scratch)
    end = 0
    for block in blocks(len(values)):
        part = values[block][mask[block]]
        found[end : end + len(part)] = part
        end += len(part)
    return found
