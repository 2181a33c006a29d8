"""Broken and hostile files give one clear error or the right data, never silently wrong data."""

import gzip
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_forms import histories

from common.errors import UserError
from datasets.readers import delimited
from datasets.readers.table import BadRows, RawTable
from datasets.readers.values import to_interactions
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
GOOD = "user,item,rating,timestamp\n" + "".join(f"{u},{i},3,{978300000 + i}\n" for u in range(5) for i in range(5))

REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "only blank lines": ("\n\n  \n", "is empty"),
    "only a mark": ("\ufeff", "is empty"),
    "header only": ("user,item\n", "no interactions"),
    "one column": ("1\n2\n3\n", "separator"),
    "web page": ("<!DOCTYPE html><html></html>", "web page"),
    "JSON": ('{"user": 1}\n', "JSON"),
    "zip": (b"PK\x03\x04" + bytes(50), "archive"),
    "few fields": ("user,item,rating\n1,2,3\n1,2\n4,5,6\n", "line 3: expected 3 fields, found 2"),
    "many fields": ("user,item,rating\n1,2,3\n\n1,2,3,4\n4,5,6\n", "line 4: expected 3 fields, found 4"),
    "a bad row behind a quoted line end": ('user,item,t\n1,2,"a\nb"\n1,2\n', "line 4: .* found 2"),
    "few fields below remarks": (
        "# a\n# b\nuser,item,rating\n1,2,3\n1,2\n4,5,6\n",
        "line 5: expected 3 fields, found 2",
    ),
    "a short list below a remark": (
        "# a, b\n\n1 2 3\n2\n3 1\n",
        "line 4: expected a user and at least one item, found 1 field",
    ),
    "bad rating": ("user,item,rating\n1,2,3\n1,3,good\n", "line 3: the rating 'good' is not a number"),
    "decimal comma": ('user;item;rating\n1;2;3\n1;3;"3,5"\n', "line 3: the rating '3,5'"),
    "rating NaN": ("user,item,rating\n1,2,3\n1,3,nan\n", "line 3: the rating 'nan'"),
    "rating infinite": ("user,item,rating\n1,2,3\n1,3,1e999\n", "line 3: the rating '1e999'"),
    "rating missing": ("user,item,rating\n1,2,3\n1,3,\n", "line 3: the rating ''"),
    "no user": ("user,item\n1,2\n,3\n", "line 3: there is no user id"),
    "no item": ("user,item\n1,2\n2,\n", "line 3: there is no item id"),
    "NULL": ("user,item\n1,2\nNULL,3\n", "line 3: there is no user id"),
    "NaN": ("user,item\nann,2\nnan,3\n", "line 3: there is no user id"),
    "NUL byte": ("user,item\n1,a\n1,b\x00c\n", "line 3: there is a NUL byte"),
    "line end in an id": ('user,item\n1,a\n1,"b\nc"\n', "line 3: the item id"),
    "long id": ("user,item\n1,a\n1," + "x" * 300 + "\n", "line 3: the item id has more than 256"),
    "open quote": ('user,item,title\n1,2,x\n1,3,"y\n1,4,z\n1,5,w\n', "never closed"),
    "open quote in an id": ('user,item\n1,2\n1,"3\n1,4\n1,5\n', "never closed|malformed"),
    "misplaced quotes": ('user,item\n1,"a\n2,"b\n', "malformed|never closed|control"),
    "no user column": ("person,item\nx,1\ny,2\n", "no column is recognised as the user"),
    "two user columns": ("user_id,userId,item\n1,2,3\n", "which of the columns 'user_id', 'userId'"),
    "header of another table": ("id,name,age\n1,ann,5\n", "no column is recognised|no recognised header"),
    "sequence column": ("user_id:token\titem_id:token_seq\n1\t2 3\n", "sequences"),
    "many columns, no header": ("1,2,3,4,5,6\n1,2,3,4,5,6\n", "no recognised header"),
    "odd fourth column": ("1,2,a,b\n1,3,c,d\n", "no recognised header"),
    "half of a movielens file": (
        "1::2::3::978300760\n1::2::3\n2::2::3::978300760\n",
        "line 2: expected 4 fields, found 3",
    ),
    "movielens with a stray colon": ("1::2::3::978300760\n1:5:2::3::978300760\n1::2::3::978300760\n", "'::'|fields"),
    "three fields among pairs": ("1 2\n1 3\n1 4\n1 5\n1 6\n1 7 8\n", "line 6: expected 2 fields, found 3"),
    "a user without items": ("1 2 3\n2\n3 4\n", "line 2: expected a user and at least one item, found 1 field"),
    "no separator": ("a-b\nc-d\n", "separator"),
    "truncated gzip": (gzip.compress(GOOD.encode() * 50)[:-20], "gzip"),
    "damaged gzip": (gzip.compress(GOOD.encode())[:30] + b"xxxxxxxx" + gzip.compress(GOOD.encode())[38:], "gzip"),
    "gzip of nothing": (gzip.compress(b""), "is empty"),
    "a million columns": ("1," * 1_000_000 + "1\n", "line 1 has more than 256 KiB"),
    "truncated Parquet": (b"PAR1" + bytes(100), "Parquet"),
    "binary": (bytes(range(256)) * 10, "can't be read|separator|line|control|is no|no column"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_files_are_rejected_with_a_reason(
    load_file: LoadFile, tmp_path: Path, content: str | bytes, reason: str
) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        load_file(content, name="bad.txt")
    assert "bad.txt" in str(caught.value)
    left = [path for path in (tmp_path / "Data").rglob("*") if path.is_file() and path.parent.name != "hashes"]
    assert left == []


def test_folder_missing_file_and_unreadable_file(load_file: LoadFile, tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "the folder has no files"), (tmp_path / "missing.csv", "no such file")):
        with pytest.raises(UserError, match=reason):
            load_file(path)
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD)
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UserError, match="can't read"):
        load_file(secret)


def test_gzip_bomb_is_rejected(load_file: LoadFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.readers.text.HARMLESS_BYTES", 1 << 20)
    bomb = gzip.compress(b"1,2\n" * 3_000_000)
    with pytest.raises(UserError, match="unpacks to more than"):
        load_file(bomb, name="bomb.csv.gz")
    with pytest.raises(UserError, match="unpacks to more than"):
        load_file(gzip.compress(b"1 2\n" * 3_000_000), name="bomb.txt.gz")


def test_endless_line_is_rejected(load_file: LoadFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.readers.tokens.LONGEST_LINE", 1 << 20)
    monkeypatch.setattr("datasets.readers.tokens.BLOCK_BYTES", 1 << 18)
    with pytest.raises(UserError, match="line of more than"):
        load_file("1 2\n1 3 4\n" + "5 " * 2_000_000)
    with pytest.raises(UserError, match="row of more than"):
        load_file("1,2\n1,3\n" + '5,"' + "6" * 40_000_000)


def test_nested_parquet_is_rejected(load_file: LoadFile, tmp_path: Path) -> None:
    path = tmp_path / "nested.parquet"
    pq.write_table(pa.table({"user_id": [1, 2], "item_id": [[1], [2]]}), path)
    with pytest.raises(UserError, match="nested"):
        load_file(path)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (pd.DataFrame({"user_id": [1.0, None], "item_id": [1, 2]}), "row 2: there is no user id"),
        (pd.DataFrame({"user_id": ["a", None], "item_id": [1, 2]}), "row 2: there is no user id"),
        (pd.DataFrame({"user_id": [1.0, 1.5], "item_id": [1, 2]}), "row 2: the user id 1.5 is not a whole"),
        (pd.DataFrame({"user_id": [True, False], "item_id": [1, 2]}), "type bool"),
        (pd.DataFrame({"user_id": [2**63, 5], "item_id": [1, 2]}, dtype="uint64"), "64-bit"),
        (pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": ["a", "b"]}), "row 1: the rating 'a'"),
        (pd.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [True]}), "type bool"),
    ],
)
def test_parquet_values_are_checked(load_file: LoadFile, tmp_path: Path, frame: pd.DataFrame, reason: str) -> None:
    path = tmp_path / "bad.parquet"
    frame.to_parquet(path)
    with pytest.raises(UserError, match=reason):
        load_file(path)


def test_bad_rows_can_be_skipped_and_are_counted(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    content = "user,item,rating\n1,10,3\n1,11\n,12,3\n1,13,good\n1,14,5\n1,15,nan\n"
    with caplog.at_level(logging.WARNING):
        data = load_file(content, skip_bad_rows=True)
    assert histories(data) == {1: [10, 14]}
    assert "dropped 1 bad rows" in caplog.text
    assert "line 3: expected 3 fields, found 2" in caplog.text
    assert "dropped 3 bad rows" in caplog.text
    assert "line 4: there is no user id" in caplog.text


def test_bad_lines_of_plain_text_can_be_skipped(load_file: LoadFile) -> None:
    content = "1 10\n1 11 12\n\n1 13\n2\n2 14\n1 15\n1 16\n1 17\n1 18\n1 19\n"
    data = load_file(content, skip_bad_rows=True, file_format="sasrec")
    assert histories(data) == {1: [10, 13, 15, 16, 17, 18, 19], 2: [14]}
    with pytest.raises(UserError, match=r"line 2: .*found 3 fields.*2 bad rows in total"):
        load_file(content, file_format="sasrec")


def test_ids_are_integers_once_bad_rows_are_dropped(load_file: LoadFile) -> None:
    data = load_file("user,item\n1,10\n,11\n2,12\n", skip_bad_rows=True)
    assert data.user_ids.tolist() == [1, 2]


def test_only_bad_rows_is_an_error_even_if_skipped(load_file: LoadFile) -> None:
    with pytest.raises(UserError, match="none of the 2 rows"):
        load_file("user,item\n,1\n,2\n", skip_bad_rows=True)


def test_bad_row_far_down_is_reported_with_its_line(load_file: LoadFile) -> None:
    rows = ["user,item,rating"] + [f"{row},{row},3" for row in range(300_000)]
    rows[123_456] = "1,2,x"
    with pytest.raises(UserError, match="line 123457: "):
        load_file("\n".join(rows))
    rows = [f"{row} {row}" for row in range(300_000)]
    rows[200_000] = "1 b\x00"
    with pytest.raises(UserError, match="line 200001: "):
        load_file("\n".join(rows))


def test_quotes_inside_fields_are_kept(load_file: LoadFile) -> None:
    """Only a quote at the start of a field opens a quoted field."""
    data = load_file('user,item,title\n1,12" disc,x\n1,7" disc,"a ""b"" c"\n')
    assert histories(data) == {1: ['12" disc', '7" disc']}


def test_64_bit_and_negative_ids(load_file: LoadFile) -> None:
    big = 2**62
    assert histories(load_file(f"user,item\n-5,{big}\n{big},-1\n")) == {-5: [big], big: [-1]}
    beyond = 2**70
    assert histories(load_file(f"user,item\n1,{beyond}\n")) == {1: [str(beyond)]}


def test_one_user_one_item(load_file: LoadFile) -> None:
    data = load_file("1 1\n")
    assert (data.num_users, data.num_items, data.num_interactions) == (1, 1, 1)


def test_all_users_below_the_filter(load_file: LoadFile) -> None:
    with pytest.raises(UserError, match=r"min_uc 5, min_sc 5.*relax"):
        load_file("1 1\n2 2\n", min_uc=5, min_sc=5)


def test_null_like_names_are_valid_steam_players() -> None:
    """Steam players may be called None."""
    users = ["None", "null", "NA", "NULL"]
    table = RawTable(Path("x"), {"user": pa.chunked_array([users]), "item": pa.chunked_array([list("abcd")])}, str)
    assert to_interactions(table, BadRows(skip=True)).frame["user"].tolist() == users[:3]


def test_reading_waits_for_threads_to_release_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a pyarrow thread released the stream while Python shuts down, the process would abort."""
    path = tmp_path / "rows.csv"
    path.write_text("user,item\n1,2\n")
    read_csv = delimited.pv.read_csv
    threads: list[threading.Thread] = []

    def held_on(stream: object, **options: object) -> object:
        threads.append(threading.Thread(target=lambda held: time.sleep(0.05), args=(stream,)))
        threads[0].start()
        return read_csv(stream, **options)

    monkeypatch.setattr(delimited.pv, "read_csv", held_on)
    mine = sys.getrefcount(stream := object())
    stream = delimited._parse(path, delimited.Layout(",", 2, has_header=True), [0, 1])[2]
    assert sys.getrefcount(stream) == mine
    threads[0].join()
