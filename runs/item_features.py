"""Read a file of items' features."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from common.errors import UserError
from datasets import SequenceData
from datasets.readers.columns import USUAL_NAMES, plain
from models.layers.item_features import ItemFeatures
from runs.id_files import places_of

log = logging.getLogger(__name__)
SEPARATOR = "|"  # between the values of a column with several categories
MAX_FEATURES = 64  # categories of an item, over all columns


def read_item_features(path: Path, data: SequenceData, training_counts: NDArray[np.int64]) -> ItemFeatures:
    """Features of the items of `data`, from a table with a column of original item ids and others.

    A column of text or integers has categories (several, if separated by |); a column of real numbers is an entry of
    the items' vectors, and in a Parquet file a column of lists is several. Items without a row have no features.

    Raises UserError if the file can't be read, or has no features of these items.
    """
    table = _read(path)
    ids = next((name for name in table.columns if plain(str(name)) in USUAL_NAMES["item"]), table.columns[0])
    if table[ids].duplicated().any():
        raise UserError(f"{path}: column {ids} has items twice; give each item one row (several categories: a|b)")
    place = places_of(table[ids].astype(str).to_numpy(dtype=np.str_), data.item_ids) + 1  # 0 = unknown
    if not (place > 0).any():
        raise UserError(f"{path} has no item of {data.name}: column {ids} should have original item ids")
    known = table[place > 0].drop(columns=ids)
    place = place[place > 0]
    rows: list[NDArray[np.int64]] = []  # of each category of an item, the item ...
    numbers: list[NDArray[np.int64]] = []  # ... and the number of the category
    vectors: list[NDArray[np.float32]] = []
    count = 0
    for name in known.columns:
        column = known[name]
        if column.isna().all():
            continue
        if column.dtype.kind == "f" or isinstance(column.dropna().iloc[0], list | np.ndarray):
            vectors.append(_numbers(column, path))
            continue
        values = column.dropna().astype(str).str.split(SEPARATOR).explode().str.strip()
        values = values[values != ""]
        codes, found = pd.factorize(values, sort=True)
        rows.append(place[known.index.get_indexer(values.index)])
        numbers.append(codes.astype(np.int64) + 1 + count)
        count += len(found)
    size = data.num_items + 1
    matrix = np.zeros((size, sum(part.shape[1] for part in vectors)), dtype=np.float32)
    if vectors:
        matrix[place] = np.concatenate(vectors, 1)
    log.info(
        "%s: %d of %d items have a row; %d categories, vectors of %d",
        path,
        len(place),
        size - 1,
        count,
        matrix.shape[1],
    )
    return ItemFeatures(
        torch.from_numpy(_padded(rows, numbers, size, path)),
        count,
        torch.from_numpy(matrix),
        torch.from_numpy(training_counts > 0),
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
    except (ValueError, OSError) as error:  # pandas' and pyarrow's errors are ValueErrors
        raise UserError(f"{path}: can't be read ({error}); give a .csv, .tsv or .parquet file") from error
    if len(table.columns) < 2 or table.empty:
        raise UserError(f"{path} should have a column of item ids and at least one of features")
    return table.reset_index(drop=True)


def _numbers(column: pd.Series, path: Path) -> NDArray[np.float32]:
    """[n, D] of a column of numbers or of lists of D numbers; missing ones are 0."""
    if column.dtype.kind == "f":
        values = column.to_numpy(dtype=np.float32)[:, None]
    else:
        there = column.notna().to_numpy()
        try:
            lists = np.stack(column[there].to_list()).astype(np.float32)
        except ValueError as error:
            raise UserError(f"{path}: the lists of column {column.name} differ in length") from error
        values = np.zeros((len(column), lists.shape[1]), dtype=np.float32)
        values[there] = lists
    if np.isinf(values).any():
        raise UserError(f"{path}: column {column.name} has infinite numbers")
    filled: NDArray[np.float32] = np.nan_to_num(values)
    return filled


def _padded(
    rows: list[NDArray[np.int64]], numbers: list[NDArray[np.int64]], size: int, path: Path
) -> NDArray[np.int64]:
    """int64 [size, F]: each row's distinct numbers, then 0."""
    if not rows:
        return np.zeros((size, 1), dtype=np.int64)
    pairs = np.unique(np.stack([np.concatenate(rows), np.concatenate(numbers)], 1), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=size)
    if counts.max() > MAX_FEATURES:
        raise UserError(f"{path}: an item has {counts.max()} categories, and at most {MAX_FEATURES} are possible")
    table = np.zeros((size, max(1, int(counts.max()))), dtype=np.int64)
    table[np.arange(table.shape[1]) < counts[:, None]] = pairs[:, 1]
    return table
