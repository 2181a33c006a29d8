"""Files that are no tables are named, with a way to convert them, and never become data."""

import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.orc
import pytest

from common.errors import UserError
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
FRAME = pd.DataFrame({"user": [1, 2, 1], "item": [3, 4, 5]})
TABLE = pa.Table.from_pandas(FRAME)


def _stream(path: Path) -> None:
    with pyarrow.ipc.new_stream(path, TABLE.schema) as writer:
        writer.write_table(TABLE)


def _database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        FRAME.to_sql("ratings", connection)


BINARY: dict[str, tuple[Callable[[Path], Any], str]] = {
    "Feather": (lambda path: pyarrow.feather.write_feather(TABLE, path), "pandas.read_feather"),
    "Feather, old": (lambda path: pyarrow.feather.write_feather(TABLE, path, version=1), "pandas.read_feather"),
    "Arrow stream": (_stream, "an Arrow stream"),
    "ORC": (lambda path: pyarrow.orc.write_table(TABLE, path), "pandas.read_orc"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1, 2])), "Python pickle"),
    "NumPy": (lambda path: np.save(path.open("wb"), np.ones((3, 2))), "numpy.load"),
    "SQLite": (_database, "SQLite database"),
    "Stata": (lambda path: FRAME.to_stata(path, version=118), "pandas.read_stata"),
    "UTF-32": (lambda path: path.write_bytes("user,item\n1,2\n".encode("utf-32")), "UTF-32"),
    "UTF-16 without a mark": (
        lambda path: path.write_bytes("user,item\n1,2\n".encode("utf-16-le")),
        "perhaps UTF-16 without a byte order mark",
    ),
    "a NUL far down": (
        lambda path: path.write_bytes(b"user,item,text\n" + b"1,2,x\n" * 100_000 + b"1,3,\0\n"),
        "line 100002: there is a NUL byte",
    ),
}
TEXT = {
    "Netflix": ("1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n2059652,4,2005-09-05\n", "blocks.*'1:'.*awk"),
    "dictionaries": ("{'user': 'a', 'item': 'b'}\n{'user': 'a', 'item': 'c'}\n", "dictionaries of Python"),
    "dictionaries of Python 2": ("{u'user': u'a', u'item': u'b'}\n", "dictionaries of Python"),
    "a list of dictionaries": ("[{'user': 'a', 'item': 'b'}]\n", "JSON"),
    "JSON lines": ('{"user": 1, "item": 2}\n', "JSON"),
    "Git LFS": ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
    "Matrix Market": ("%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 3\n2 2 4\n", "mmread"),
    "ARFF": ("@RELATION ratings\n@ATTRIBUTE user NUMERIC\n@DATA\n1,2\n", "loadarff"),
    "svmlight": ("1 3:1.0 5:2\n2 4:1\n", "svmlight"),
}


@pytest.mark.parametrize("options", [{}, {"skip_bad_rows": True}, {"file_format": "lists"}], ids=str)
@pytest.mark.parametrize(("write", "reason"), BINARY.values(), ids=BINARY.keys())
@pytest.mark.filterwarnings("ignore:Feather V1")
def test_binary_files(load_file: LoadFile, tmp_path: Path, write: Any, reason: str, options: dict[str, Any]) -> None:
    path = tmp_path / "ratings.dat"
    write(path)
    with pytest.raises(UserError, match=reason):
        load_file(path, **options)


@pytest.mark.parametrize("options", [{}, {"skip_bad_rows": True}, {"file_format": "lists"}], ids=str)
@pytest.mark.parametrize(("content", "reason"), TEXT.values(), ids=TEXT.keys())
def test_text_that_is_no_table(load_file: LoadFile, content: str, reason: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=reason):
        load_file(content, **options)


def test_tables_may_begin_with_such_words(load_file: LoadFile) -> None:
    for first in ("ORCID", "RDX", "Obj"):
        content = f"{first},user,item\n" + "x,1,2\n" * 3
        assert load_file(content).num_items == 1


def test_most_rows_must_be_good(load_file: LoadFile) -> None:
    for content in (
        "user,item\n" + "1,2\n" * 3 + "1,2,3\n" * 4,
        "user,item,rating\n" + "1,2,3\n" * 3 + "1,2,good\n" * 4,
        "user,item,time\n" + f"1,2,{10**9}\n" * 3 + "1,2,never\n" * 4,
    ):
        with pytest.raises(UserError, match=r"4 rows are bad, which is most of them|not recognised"):
            load_file(content, skip_bad_rows=True)
    anonymous = "user,item\n" + "1,2\n" * 3 + ",2\n" * 9  # usual, and no sign of a misread file
    assert load_file(anonymous, skip_bad_rows=True).num_interactions == 3


@pytest.mark.parametrize("separator", [",", " "])
def test_guessed_columns_need_equal_rows(load_file: LoadFile, separator: str) -> None:
    rows = ("1,2\n" * 9 + "1,2,3\n").replace(",", separator)
    for options in ({}, {"skip_bad_rows": True}):
        with pytest.raises(UserError, match=r"line 10: .*as there is no header, the columns are guessed"):
            load_file(rows, **options)
    data = load_file(rows, skip_bad_rows=True, user_column="1", item_column="2")
    assert data.num_interactions == 9


@pytest.mark.parametrize("separator", [",", "\t", "::"])
def test_four_columns_may_begin_with_the_item(
    load_file: LoadFile, caplog: pytest.LogCaptureFixture, separator: str
) -> None:
    rows = "B000,A1,5.0,1300000000\nB001,A2,4.0,1300000001\n".replace(",", separator)
    assert load_file(rows).user_ids.tolist() == ["B000", "B001"]
    assert ("Some files begin with the item" in caplog.text) == (separator != "::")
    caplog.clear()
    positions = {"user_column": "2", "item_column": "1", "rating_column": "3", "timestamp_column": "4"}
    assert load_file(rows, **positions).user_ids.tolist() == ["A1", "A2"]
    assert "begin with the item" not in caplog.text


@pytest.mark.parametrize(
    ("header", "has_time"), [("User-ID;ISBN;Book-Rating", False), ("customer_id;article_id;price;t_dat", True)]
)
def test_known_names(load_file: LoadFile, caplog: pytest.LogCaptureFixture, header: str, has_time: bool) -> None:
    rows = [
        f"{user};{user + item};{item};2020-01-0{9 - item}"[: None if has_time else -11]
        for user in range(3)
        for item in range(1, 4)
    ]
    data = load_file("\n".join([header, *rows]))
    assert (data.timestamps is not None, data.ratings is not None) == (has_time, not has_time)
    assert "holds the time" not in caplog.text or not has_time


def test_tables_with_bad_rows_are_no_lists(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    rows = "1 10 5 1300000000\n" * 4 + "1 11\n1 12 5 1300000000 x\n"
    with pytest.raises(UserError, match="line 1 looks like a header, but the lines have different numbers of fields"):
        load_file("user_id item_id stars time\n" + rows)
    with pytest.raises(UserError, match="column 4 looks like a time, but the lines have different numbers of fields"):
        load_file(rows)
    load_file(rows.replace("1300000000", "7"))
    assert "67% of the lines have 4 fields, so it may be a table with bad rows" in caplog.text
