"""`dataset_query`: SQL over data files, with DuckDB."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import datasets
from common.errors import UserError
from datasets.file_options import FileOptions
from datasets.sequence_data import SequenceData

needs_duckdb = pytest.mark.usefixtures("duckdb")
ALL = "SELECT * FROM data"


@pytest.fixture
def duckdb() -> None:
    pytest.importorskip("duckdb", reason="DuckDB is not installed: requirements-sql.txt")


def table(rows: int = 200) -> pa.Table:
    """A log of two kinds of events with text ids of items."""
    random = np.random.default_rng(0)
    columns = {"user_id": random.integers(0, 20, rows), "sku": [f"p{i}" for i in random.integers(0, 30, rows)]}
    columns |= {"type": random.choice(["view", "purchase"], rows), "timestamp": 10**9 + random.integers(0, 50, rows)}
    return pa.table(columns)


def load(path: Path, folder: Path, **options: object) -> SequenceData:
    given = {"min_uc": 0, "min_sc": 0, "event_column": "", "local_data_folder": folder / "Data", **options}
    return datasets.load("file", FileOptions(dataset_path=path, **given))


@needs_duckdb
@pytest.mark.parametrize("limit", [None, "200MB"])
def test_query_of_parts_equals_one_file(tmp_path: Path, limit: str | None) -> None:
    whole, logs = table(), tmp_path / "logs"
    logs.mkdir()
    pq.write_table(whole, tmp_path / "whole.parquet")
    for part in range(2):
        pq.write_table(whole.slice(100 * part, 100), logs / f"{part}.parquet")
    expected = load(tmp_path / "whole.parquet", tmp_path, events=("purchase",), event_column="type")
    query = "SELECT user_id, sku, timestamp FROM data WHERE type = 'purchase'"
    data = load(logs, tmp_path, dataset_query=query, memory_limit=limit)
    assert data.hash == expected.hash
    assert data.funnel[0].step == "rows of dataset_query"
    assert load(logs, tmp_path, dataset_query=ALL).num_interactions == 200  # another query is other data


@needs_duckdb
def test_text_and_json_lines_give_the_same_data(tmp_path: Path) -> None:
    whole = table()
    pa.csv.write_csv(whole, tmp_path / "a.csv")
    with pa.CompressedOutputStream(str(tmp_path / "b.csv.zst"), "zstd") as stream:
        stream.write((tmp_path / "a.csv").read_bytes())
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in whole.to_pylist()))
    expected = load(tmp_path / "a.csv", tmp_path).hash
    for name in ("a.csv", "b.csv.zst", "c.jsonl"):
        assert load(tmp_path / name, tmp_path, dataset_query=ALL).hash == expected, name


@needs_duckdb
def test_query_with_dates_nulls_and_decimals(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who,what,moment,stars\n1,a,2024-01-02 03:04:05,1.5\n,b,2024-01-02 03:04:06,2\n")
    query = "SELECT who AS user, what AS item, moment AS timestamp, stars::DECIMAL(4, 1) AS rating FROM data"
    with pytest.raises(UserError, match="row 2 of the result of dataset_query: there is no user id"):
        load(tmp_path / "a.csv", tmp_path, dataset_query=query)
    data = load(tmp_path / "a.csv", tmp_path, dataset_query=query, skip_bad_rows=True)
    assert data.timestamps is not None
    assert data.ratings is not None
    assert (data.timestamps.tolist(), data.ratings.tolist()) == ([1704164645], [1.5])


@needs_duckdb
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT nope FROM data", "dataset_query failed: .*nope"),
        ("SELEC * FROM data", "dataset_query failed: .*syntax error"),
        ("SELECT 1; SELECT 2", "must be one SELECT statement"),
        ("COPY data TO 'x.csv'", "must be one SELECT statement"),
        ("SELECT * FROM read_csv('/etc/hostname')", "dataset_query failed: .*file system operations are disabled"),
        ("SELECT * FROM data WHERE user_id < 0", "dataset_query has no rows"),
        ("SELECT sku, timestamp FROM data", "no column is recognised as the user"),
    ],
)
def test_bad_queries_are_refused(tmp_path: Path, query: str, reason: str) -> None:
    pq.write_table(table(), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=reason):
        load(tmp_path / "a.parquet", tmp_path, dataset_query=query)


@needs_duckdb
def test_errors_in_files_name_the_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n" + "1,2\n" * 30_000 + "1,2,3\n")
    with pytest.raises(UserError, match=r"a\.csv.*(?i:line).* 30002"):
        load(tmp_path / "a.csv", tmp_path, dataset_query=ALL)
    (tmp_path / "b.jsonl").write_text('{"user": 1, "item": 2}\n{"user": , "item": 3}\n')
    with pytest.raises(UserError, match=r"b\.jsonl.* line [23]"):
        load(tmp_path / "b.jsonl", tmp_path, dataset_query=ALL)
    (tmp_path / "c.csv.bz2").write_bytes(b"BZh")
    with pytest.raises(UserError, match=r"can't read \.bz2"):
        load(tmp_path / "c.csv.bz2", tmp_path, dataset_query=ALL)


def test_missing_duckdb_is_an_error_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    with pytest.raises(UserError, match=r"pip install -r requirements-sql\.txt"):
        load(tmp_path / "a.csv", tmp_path, dataset_query=ALL)
