"""Any table that is written is read back unchanged (Hypothesis)."""

import csv
import gzip
import io
import re
import tempfile
import unittest.mock
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

import datasets
from datasets.file import MISSING_IN_FILES
from datasets.readers import python_lines
from datasets.readers.ids import LIST, LONGEST_ID
from datasets.readers.table import BadRows
from datasets.sequence_data import SequenceData

Row = tuple[Any, Any, float, int]

word = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=LONGEST_ID
).filter(lambda text: text not in MISSING_IN_FILES and text == text.strip() and not re.match(LIST, text))
number = st.integers(-(2**62), 2**62)
identifier = st.sampled_from([word, number, st.integers(0, 5)])


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Rows with one type of user ids and one of item ids; timestamps that can only be seconds."""
    user, item = draw(identifier), draw(identifier)
    rating = st.floats(-1000, 1000, width=32)
    time = st.integers(1_000_000_000, 1_000_000_100)
    return draw(st.lists(st.tuples(user, item, rating, time), min_size=1, max_size=30))


def load(path: Path, folder: Path, **options: Any) -> SequenceData:
    filters = {"min_uc": 0, "min_sc": 0, "min_rating": None, "local_data_folder": folder}
    return datasets.load("file", datasets.DATASETS["file"].Options(dataset_path=path, **filters, **options))


def check(data: SequenceData, rows: list[Row]) -> None:
    """The dataset consists of these rows, ordered by user, time and row."""
    users = np.repeat(data.user_ids, data.lengths).tolist()
    items = data.item_ids[data.items - 1].tolist()
    assert data.ratings is not None
    assert data.timestamps is not None
    found = list(zip(users, items, data.ratings.tolist(), data.timestamps.tolist(), strict=True))
    # A column of text whose every entry is a plain integer is read as integers.
    kind = [type(ids[0].item()) for ids in (data.user_ids, data.item_ids)]
    expected = [(kind[0](user), kind[1](item), rating, time) for user, item, rating, time in rows]
    for column in (0, 1):
        assert [str(row[column]) for row in expected] == [str(row[column]) for row in rows]
    assert found == sorted(expected, key=lambda row: (row[0], row[3]))


@given(
    rows=tables(),
    separator=st.sampled_from([",", "\t", ";", "|", "#"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    mark=st.booleans(),
    packed=st.booleans(),
    order=st.permutations(range(5)),
    other=word,
)
@settings(deadline=None, max_examples=150)
def test_separated_text(
    rows: list[Row],
    separator: str,
    line_end: str,
    quoting: int,
    mark: bool,
    packed: bool,
    order: list[int],
    other: str,
) -> None:
    """The columns are in any order, with one unused column."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    for row in [("user_id", "item_id", "rating", "timestamp", "title"), *((*row, other) for row in rows)]:
        writer.writerow([row[column] for column in order])
    content = text.getvalue().encode("utf-8-sig" if mark else "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(gzip.compress(content) if packed else content)
        check(load(path, Path(folder), separator=separator), rows)


@given(rows=tables(), group=st.integers(1, 7), compression=st.sampled_from(["none", "snappy", "zstd"]))
@settings(deadline=None, max_examples=60)
def test_parquet(rows: list[Row], group: int, compression: str) -> None:
    """Row groups have any size and their own dictionaries."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
        pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=group, compression=compression)
        check(load(path, Path(folder)), rows)


@given(rows=st.lists(st.tuples(word, word, word), min_size=1, max_size=20), chunk=st.integers(1, 5), old=st.booleans())
@settings(deadline=None, max_examples=60)
def test_python_lines(rows: list[tuple[str, str, str]], chunk: int, old: bool) -> None:
    """Python literals are read back unchanged, also with Python 2's `u` prefix."""
    lines = [f"{{{'u' * old}'a': {'u' * old}{a!r}, 'n': [None, 1.5], 'b': {b!r}, 'c': {c!r}}}" for a, b, c in rows]
    with tempfile.TemporaryDirectory() as folder, unittest.mock.patch(f"{python_lines.__name__}.CHUNK_ROWS", chunk):
        path = Path(folder) / "lines.json"
        path.write_text("\n".join(lines), encoding="utf-8")
        table = python_lines.read_python_lines(
            path, lambda line: [(line["a"], line["b"], line["c"])], ("user", "item", "timestamp"), BadRows()
        )
    found = zip(*(table.columns[role].to_pylist() for role in ("user", "item", "timestamp")), strict=True)
    assert list(found) == rows
    assert table.location(len(rows) - 1) == f"line {len(rows)}"


token = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=20).filter(
    lambda text: text not in MISSING_IN_FILES and text.strip("#%")  # marks alone begin a remark
)


@given(
    lists=st.dictionaries(token, st.lists(token, min_size=1, max_size=5), min_size=1, max_size=10),
    as_lists=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    last=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_plain_text(lists: dict[str, list[str]], as_lists: bool, line_end: str, last: bool) -> None:
    if as_lists:
        lines = [" ".join([user, *items]) for user, items in lists.items()]
    else:
        lines = [f"{user} {item}" for user, items in lists.items() for item in items]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.txt"
        path.write_bytes((line_end.join(lines) + line_end * last).encode())
        data = load(path, Path(folder), file_format="lists" if as_lists else "sasrec", has_header=False)
        found = {
            str(user): data.item_ids[data.items[data.offsets[row] : data.offsets[row + 1]] - 1].astype(str).tolist()
            for row, user in enumerate(data.user_ids)
        }
    assert found == lists
