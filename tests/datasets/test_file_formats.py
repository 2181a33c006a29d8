"""The dataset `file`: every format gives the same data for the same interactions."""

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from plain_forms import histories

from common.errors import UserError
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]

# user 1 has a tie: items 30 and 10 at the same second, 30 first in the file
ROWS = [(2, 30, 4.0, 978300900), (1, 20, 5.0, 978300760), (1, 30, 3.5, 978300800), (1, 10, 1.0, 978300800)]
ORDERED = {1: [20, 30, 10], 2: [30]}
UNORDERED = {1: [20, 30, 10], 2: [30]}


def text(separator: str, header: str | None = None, columns: int = 4, end: str = "\n") -> str:
    lines = [separator.join(str(value) for value in row[:columns]) for row in ROWS]
    return end.join([*([header] if header else []), *lines]) + end


WITH_TIME = {
    "comma": text(",", "user_id,item_id,rating,timestamp"),
    "tab": text("\t", "uid\tsid\trating\ttime"),
    "semicolon": text(";", "CustomerID;StockCode;stars;InvoiceDate"),
    "pipe": text("|", "reviewerID|asin|overall|unixReviewTime"),
    "movielens": text("::"),
    "movielens csv": text(",", "userId,movieId,rating,timestamp"),
    "no header, comma": text(","),
    "no header, tab": text("\t"),
    "spaces with header": text(" ", "user item rating timestamp"),
    "no header, spaces": text(" "),
    "RecBole": text("\t", "user_id:token\titem_id:token\trating:float\ttimestamp:float"),
    "CRLF": text(",", "user_id,item_id,rating,timestamp", end="\r\n"),
    "CR": text(",", "user_id,item_id,rating,timestamp", end="\r"),
    "no last line end": text(",", "user_id,item_id,rating,timestamp").rstrip("\n"),
    "blank lines": text(",", "user_id,item_id,rating,timestamp", end="\n\n"),
    "BOM": "\ufeff" + text(",", "user_id,item_id,rating,timestamp"),
    "BOM, quoted header": "\ufeff" + text(",", '"user_id","item_id","rating","timestamp"'),
    "title between": "userId,title,movieId,rating,timestamp\n"
    + "".join(f'{u},"A, ""B""\nC",{i},{r},{t}\n' for u, i, r, t in ROWS),
    "remark above": "# of 2020; two, or more\n#\n" + text(",", "user_id,item_id,rating,timestamp"),
    "separator named": "sep=;\r\n" + text(";", "user_id;item_id;rating;timestamp", end="\r\n"),
    "KONECT": "% bip weighted\n% 4 2 3\n" + text(" "),
    "header in a remark": "# my data\n# user_id,item_id,rating,timestamp\n" + text(","),
    "remark below a blank line": "\n# of 2020\n" + text(","),
    "many remarks": "# a\n" * 300 + text(" "),
    "header behind a mark": text(",", "#user_id,item_id,rating,timestamp"),
    "other order of columns": "timestamp,rating,item,user\n" + "".join(f"{t},{r},{i},{u}\n" for u, i, r, t in ROWS),
}


@pytest.mark.parametrize("content", WITH_TIME.values(), ids=WITH_TIME.keys())
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_tables_with_times(load_file: LoadFile, content: str, packed: bool) -> None:
    raw = content.encode()
    data = load_file(gzip.compress(raw) if packed else raw, name="mine.txt")
    assert histories(data) == ORDERED
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [978300760, 978300800, 978300800, 978300900]
    assert data.ratings is not None
    assert data.ratings.tolist() == [5.0, 3.5, 1.0, 4.0]
    assert data.name == "mine"


WITHOUT_TIME = {
    "SASRec": text(" ", columns=2),
    "SASRec, two spaces": text("  ", columns=2),
    "SASRec, tabs": text("\t", columns=2),
    "SASRec, blank lines": "\n" + text(" ", columns=2, end="\n\n"),
    "SASRec, CRLF": text(" ", columns=2, end="\r\n"),
    "comma, no header": text(",", columns=2),
    "comma, header": text(",", "user_id,item_id", columns=2),
    "lists": "2 30\n1 20 30 10\n",
    "lists, remark above": "\ufeff# user, then what they bought: in order\n2 30\n1 20 30 10\n",
    "lists, user twice": "1 20\n2 30\n1 30 10",
}


@pytest.mark.parametrize("content", WITHOUT_TIME.values(), ids=WITHOUT_TIME.keys())
def test_tables_without_timestamps_keep_their_order(load_file: LoadFile, content: str) -> None:
    data = load_file(content, name="mine.txt")
    assert histories(data) == UNORDERED
    assert data.timestamps is None
    assert data.ratings is None


def test_lists_with_a_separator(load_file: LoadFile) -> None:
    data = load_file("2,30\n1,20,30,10\n", file_format="lists", separator=",")
    assert histories(data) == UNORDERED


def test_lists_of_equal_length_need_file_format(load_file: LoadFile) -> None:
    content = "1 20 30 10 40 50\n2 30 10 20 60 70\n"
    with pytest.raises(UserError, match="--file_format"):
        load_file(content)
    assert histories(load_file(content, file_format="lists")) == {1: [20, 30, 10, 40, 50], 2: [30, 10, 20, 60, 70]}


def test_third_of_three_columns_is_detected_by_its_values(load_file: LoadFile) -> None:
    rated = load_file("1,20,5\n2,30,4\n", name="rated.csv")
    assert rated.ratings is not None
    assert rated.timestamps is None
    timed = load_file("1,20,978300760\n2,30,978300900\n", name="timed.csv")
    assert timed.ratings is None
    assert timed.timestamps is not None
    dated = load_file("1,20,2001-01-01\n2,30,2001-01-02\n", name="dated.csv")
    assert dated.timestamps is not None


@pytest.mark.parametrize("text_ids", [False, True])
def test_parquet(load_file: LoadFile, tmp_path: Path, text_ids: bool) -> None:
    frame = pd.DataFrame(ROWS, columns=["user_id", "item_id", "rating", "timestamp"])
    if text_ids:
        frame = frame.astype({"user_id": str, "item_id": "category"})
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="s")
    path = tmp_path / "mine.parquet"
    frame.to_parquet(path)
    data = load_file(path)
    assert histories(data) == ORDERED
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [978300760, 978300800, 978300800, 978300900]


def test_string_ids_are_unchanged(load_file: LoadFile) -> None:
    data = load_file('user,item\n007,a b\n7,é\n+7,😀\n007,"x,y"\n')
    assert histories(data) == {"007": ["a b", "x,y"], "7": ["é"], "+7": ["😀"]}
    assert data.user_ids.tolist() == ["+7", "007", "7"]


@pytest.mark.parametrize("name", ["a b", " leading", "a,b;c|d"])
def test_any_character_can_be_the_separator(load_file: LoadFile, name: str) -> None:
    assert histories(load_file(f"user#item\n{name}#1\n", separator="#")) == {name.strip(): [1]}


def test_other_separators_may_occur_in_values(load_file: LoadFile) -> None:
    decimal = "user;item;weight\n" + "".join(f"1;{item};3,5\n" for item in range(20))
    assert load_file(decimal).num_items == 20
    assert load_file(decimal.partition("\n")[2].replace("3,5", "3.5"), name="bare.csv").num_items == 20
    genres = "user,item,genres\n" + "".join(f"1,{item},a|b\n" for item in range(20))
    assert load_file(genres).num_items == 20
    titles = "user\titem\ttitle\n" + "".join(f"1\t{item}\tA, B, and C\n" for item in range(20))
    assert load_file(titles).num_items == 20


def test_columns_by_name_and_by_position(load_file: LoadFile) -> None:
    named = "who,what,when,how\n1,20,978300760,5\n1,10,978300700,4\n"
    options: dict[str, Any] = {"user_column": "who", "item_column": "what", "timestamp_column": "WHEN"}
    data = load_file(named, **options)
    assert histories(data) == {1: [10, 20]}
    assert data.ratings is None
    with pytest.raises(UserError, match="user_column"):
        load_file(named)
    bare = "x,1,9,20\nx,1,9,10\n"
    assert histories(load_file(bare, user_column="2", item_column="4")) == {1: [20, 10]}
    with pytest.raises(UserError, match="item_column"):
        load_file(bare, user_column="2")


def test_has_header_can_be_given(load_file: LoadFile) -> None:
    assert histories(load_file("user,book\nann,pen\n", has_header=False)) == {"ann": ["pen"], "user": ["book"]}
    data = load_file("1,2\nann,pen\n", has_header=True, user_column="1", item_column="2")
    assert histories(data) == {"ann": ["pen"]}


def test_latin_1_is_read_with_a_warning(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    content = "user,item,title\n1,café,x\n1,crème,y\n".encode("latin-1")
    with caplog.at_level(logging.WARNING):
        assert histories(load_file(content)) == {1: ["café", "crème"]}
    late = ("user item\n" + "1 a\n" * 200_000 + "1 café\n").encode("latin-1")
    with caplog.at_level(logging.WARNING):
        assert load_file(late, name="late.txt").item_ids.tolist() == ["a", "café"]
    late = ("user,item\n" + "1,a\n" * 200_000 + "1,café\n").encode("latin-1")
    assert load_file(late, name="late.csv").item_ids.tolist() == ["a", "café"]
    assert "Latin-1" in caplog.text


def test_utf_16_with_byte_order_mark(load_file: LoadFile) -> None:
    assert histories(load_file("user,item\n1,é\n".encode("utf-16"))) == {1: ["é"]}


def test_repeat_consumption_is_detected_or_given(load_file: LoadFile, tmp_path: Path) -> None:
    once = "".join(f"{user} {item}\n" for user in range(20) for item in range(20))
    assert not load_file(once).repeat_consumption
    again = once + "".join(f"{user} {user}\n" for user in range(20))
    assert load_file(again).repeat_consumption
    assert not load_file(again, items_repeat=False).repeat_consumption


def test_name_is_the_stem_unless_given(load_file: LoadFile) -> None:
    content = "1 2\n"
    assert load_file(content, name="ml-1m-order.txt.gz").name == "ml-1m-order"
    assert load_file(content, name="ml-1m-order.txt.gz", dataset_name="ML").name == "ML"
    assert load_file(content, name="sales.2024.TXT").name == "sales.2024"
    assert load_file(content, name="ml-1m.ratings.dat").name == "ml-1m"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_unrecognised_timestamp_column_is_a_warning(
    load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """The warning is repeated at each load, but not given if there are no other columns or the column is ''."""
    table = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 3], "bought_on": ["2020-01-02", "2020-01-01"] * 2})
    path = tmp_path / f"mine.{kind}"
    table.to_parquet(path) if kind == "parquet" else table.to_csv(path, index=False)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert load_file(path).timestamps is None
        assert "no column is recognised as the timestamp" in caplog.text and "'bought_on'" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert load_file(path, timestamp_column="bought_on").timestamps is not None
        assert load_file(path, timestamp_column="").timestamps is None
        assert load_file("user,item\n1,1\n1,2\n", name="two.csv").timestamps is None
    assert "recognised as the timestamp" not in caplog.text


def test_ratings_can_be_ignored(load_file: LoadFile) -> None:
    text = "user,item,rating\n1,1,good\n1,2,bad\n"
    with pytest.raises(UserError, match=r"'good' is not a number .*--rating_column ''"):
        load_file(text)
    assert load_file(text, rating_column="").ratings is None


@pytest.mark.parametrize("missing", ["NA", "null", "None", "n/a", ""])
def test_missing_ids_are_not_users(load_file: LoadFile, missing: str) -> None:
    with pytest.raises(UserError, match="line 3: there is no user id"):
        load_file(f"user,item\na,1\n{missing},2\n")


def test_skipped_preamble_is_logged(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    load_file("# my rows\n# of 2020\n" + text(","), name="mine.txt")
    assert "skipped 2 lines before the table: '# my rows'" in caplog.text


@pytest.mark.parametrize("content", ["#cats,ann\n#cats,bob\nants,ann\n", "#cats ann bob\n%dogs eve\n", "# a\n# b\n"])
def test_ids_may_start_like_comments(load_file: LoadFile, caplog: pytest.LogCaptureFixture, content: str) -> None:
    assert len(load_file(content).items) == sum(max(1, line.count(" ")) for line in content.splitlines())
    assert "before the table" not in caplog.text


def test_header_may_start_like_a_comment(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"{row},k{row % 3},p{row}\n" for row in range(9))
    for first, user in (("#", "who"), ("#who", "#who")):
        header = f"{first},{'who' if first == '#' else 'whom'},what\n"
        data = load_file(header + rows, user_column=user, item_column="what")
        assert data.num_items == 9 and data.num_users == (3 if user == "who" else 9)
    assert "before the table" not in caplog.text


def test_columns_can_be_ignored_without_a_header(load_file: LoadFile) -> None:
    content = "".join(f"{u},{i},good,{1_000_000_000 - i}\n" for u in range(3) for i in range(1, 4))
    by_position = {"user_column": "1", "item_column": "2", "timestamp_column": "4", "rating_column": ""}
    data = load_file(content, **by_position)
    assert data.ratings is None and histories(data)[0] == [3, 2, 1]
    plain = load_file(content.replace("good", "3"), rating_column="")
    assert plain.ratings is None and histories(plain) == histories(data)
    untimed = load_file(content.replace("good", "3"), rating_column="", timestamp_column="")
    assert untimed.timestamps is None and histories(untimed)[0] == [1, 2, 3]
    assert len(load_file("1,2,,1000000000\n" + content, **by_position).items) == 10  # whose first rating is empty
