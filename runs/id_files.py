"""Files that list users or items by their original ids."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError
from datasets.readers.columns import USUAL_NAMES, plain

log = logging.getLogger(__name__)
Kind = Literal["user", "item"]
Ids = NDArray[np.generic]
MAX_LISTED = 5  # names in a message


def listed_users(path: Path, known: Ids, data_name: str) -> NDArray[np.int64]:
    """Indices of the listed users among the known ones, each once. Raises UserError if one is unknown."""
    names, found = _places(path, "user", known)
    unknown = names[found < 0]
    if len(unknown):
        raise UserError(
            f"{path} lists {len(unknown):,} users that are not in the training data {data_name}: {first_few(unknown)}. "
            "Remove them, or give their histories with --histories"
        )
    return found


def listed_items(path: Path, known: Ids, data_name: str) -> NDArray[np.int64]:
    """Indices of the listed items among the known ones, each once; others are dropped with a warning.

    Raises UserError if none is known.
    """
    names, found = _places(path, "item", known)
    unknown = names[found < 0]
    if len(unknown) == len(names):
        raise UserError(f"{path} lists no item of the training data {data_name}; it has {first_few(unknown)}")
    if len(unknown):
        log.warning(
            "%s: %d of %d items are not in the training data %s, so no model knows them: %s",
            *(path, len(unknown), len(names), data_name, first_few(unknown)),
        )
    return found[found >= 0]


def _places(path: Path, kind: Kind, known: Ids) -> tuple[Ids, NDArray[np.int64]]:
    """The listed names, each once, and their places among the known ids (-1 = unknown)."""
    names = np.asarray(list(dict.fromkeys(_read_names(path, kind))), dtype=np.str_)
    if len(names) == 0:
        raise UserError(f"{path} lists no {kind}s")
    found = places_of(names, known)
    if (found < 0).any():  # blanks around ids are ignored, unless the data's ids have them
        found = np.where(found < 0, places_of(np.char.strip(names), known), found)
        first = np.sort(np.unique(np.where(found < 0, -1 - np.arange(len(found)), found), return_index=True)[1])
        names, found = names[first], found[first]
    return names, found


def _read_names(path: Path, kind: Kind) -> list[str]:
    """One name per line; in a CSV or Parquet file, the column with a usual name for users or items, else the first."""
    if not path.is_file():
        raise UserError(f"{kind}s {path}: there is no such file")
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            if len(table.columns) == 0:
                raise UserError(f"{kind}s {path}: the table has no columns")
            ids = table[table.columns[_column([str(c) for c in table.columns], kind) or 0]].dropna()
            return [_as_text(name) for name in ids]
        if path.suffix in (".csv", ".tsv"):
            separator = "," if path.suffix == ".csv" else "\t"
            table = pd.read_csv(
                path, sep=separator, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig"
            )
            column = _column([str(cell) for cell in table.iloc[0]], kind) if len(table) else None
            return [str(name) for name in table[column or 0][0 if column is None else 1 :]]
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # ids may contain other line endings
    except (ValueError, OSError) as error:  # pandas' and pyarrow's errors are ValueErrors
        raise UserError(f"{kind}s {path}: can't be read ({error})") from error
    return [line for line in lines if line.strip()]


def _as_text(name: object) -> str:
    """An id of a typed column as text; a column of numbers that once had gaps has floats."""
    if isinstance(name, bytes):
        return name.decode("utf-8", errors="replace")
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)


def _column(names: list[str], kind: Kind) -> int | None:
    """The index of the first usual name for users or items, or None."""
    usual = [number for number, name in enumerate(names) if plain(name) in USUAL_NAMES[kind]]
    return usual[0] if usual else None


def places_of(wanted: Ids, known: Ids) -> NDArray[np.int64]:
    """The position of each wanted id among the known ones, -1 if unknown; numbers and strings may be mixed."""
    known = np.asarray(known)
    if (wanted.dtype.kind == "U") != (known.dtype.kind == "U"):
        wanted, known = wanted.astype(np.str_), known.astype(np.str_)
    found: NDArray[np.int64] = pd.Index(known).get_indexer(pd.Index(wanted)).astype(np.int64)
    return found


def first_few(names: Ids) -> str:
    """The first few names, for a message."""
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    return ", ".join(str(name) for name in names[:MAX_LISTED]) + more
