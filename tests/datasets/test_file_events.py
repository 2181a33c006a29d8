"""Which rows count as interactions: events, conditions, repeated headers; and what is said about columns not read."""

import decimal
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from plain_forms import histories
from pydantic import ValidationError

import datasets
from common.errors import UserError
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
SHOP = (
    "user,item,event_type,price\n1,10,view,1\n1,10,cart,1\n1,11,view,2\n1,12,Purchase,3\n2,11,purchase,2\n2,10,view,1\n"
)
BOUGHT = {1: [12], 2: [11]}


@pytest.mark.parametrize("kind", ["csv", "parquet", "spaces"])
@pytest.mark.parametrize(
    "options",
    [
        {"event_column": "event_type", "events": ("purchase",)},
        {"events": ("purchase",)},
        {"keep": ("event_type=purchase",)},
        {"keep": ("Event Type = purchase", "price=2.0", "price=3")},
    ],
)
def test_events_that_count(load_file: LoadFile, tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    path = tmp_path / f"shop.{kind}"
    path.write_text(SHOP.replace(",", " ") if kind == "spaces" else SHOP)
    if kind == "parquet":
        pd.read_csv(path).astype({"event_type": "category", "price": float}).to_parquet(path)
    data = load_file(path, **options)
    assert histories(data) == BOUGHT
    assert "keep event_type purchase" in data.funnel[1].step and data.funnel[-1].rows == 2


def test_conditions_by_position_and_on_several_columns(load_file: LoadFile) -> None:
    bare = SHOP.partition("\n")[2]
    given = {"user_column": "1", "item_column": "2", "keep": ("3=view", "3=cart", "4=1")}
    assert histories(load_file(bare, **given)) == {1: [10, 10], 2: [10]}


def test_wrong_conditions_are_errors(load_file: LoadFile) -> None:
    with pytest.raises(UserError, match=r"no row has 'buy' in column 'event_type' .*'view' \(3\), 'purchase' \(1\)"):
        load_file(SHOP, events=("buy",))
    with pytest.raises(UserError, match="no column 'kind'"):
        load_file(SHOP, keep=("kind=view",))
    with pytest.raises(UserError, match="no column is recognised as the type of event"):
        load_file("user,item\n1,2\n", events=("buy",))
    with pytest.raises(UserError, match="lines of one user each"):
        load_file("1 2 3\n2 3\n", events=("buy",))
    for wrong in ({"keep": ("view",)}, {"event_column": "event_type"}):
        with pytest.raises(ValidationError, match=r"COLUMN=VALUE|needs events"):
            datasets.DATASETS["file"].Options(dataset_path=Path("x"), **wrong)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (SHOP, "'event_type' ('view', 'cart', 'Purchase', 'purchase')"),
        ("user,item,what\n1,2,pv\n1,3,buy\n", "'what'"),
        ("user,item,is_click\n1,2,1\n1,3,0\n", "--keep is_click="),
        ("user_id:token\titem_id:token\tlabel:float\n1\t2\t1.0\n1\t3\t0.0\n", "--keep label:float="),
    ],
)
def test_unread_events_are_a_warning(
    load_file: LoadFile, caplog: pytest.LogCaptureFixture, content: str, advice: str
) -> None:
    load_file(content)
    assert "every row counts as an interaction" in caplog.text and advice in caplog.text
    caplog.clear()
    load_file(content, event_column="")
    load_file("user,item,label,title\n1,2,1,view\n1,3,1,tea\n")  # one value of label; other words than events
    assert "every row counts" not in caplog.text


def test_columns_that_are_not_read_are_named(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    load_file("user,item,price,title\n1,2,3,a\n1,3,4,b\n")
    assert "not read: 'price', 'title'" in caplog.text


@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_repeated_headers_are_dropped(load_file: LoadFile, caplog: pytest.LogCaptureFixture, separator: str) -> None:
    """Files with headers that were joined; one of them has a byte order mark."""
    part = "user,item,rating,time\n1,{},3,100\n2,{},4,200\n"
    joined = part.format(5, 6) + part.format(7, 8) + "\ufeff" + part.format(9, 1)
    data = load_file(joined.replace(",", separator))
    assert histories(data) == {1: [5, 7, 9], 2: [6, 8, 1]}
    assert "dropped 2 rows that repeat the header" in caplog.text
    assert [step.rows for step in data.funnel] == [8, 6]


@pytest.mark.parametrize("item", ["[3, 4, 5]", "['a', 'b']", '["a"]', "[3 4]", "(3, 4)", "[7]"])
def test_a_list_in_a_cell_is_an_error(load_file: LoadFile, tmp_path: Path, item: str) -> None:
    path = tmp_path / "lists.csv"
    pd.DataFrame({"user": [1, 2], "item": ["tea", item]}).to_csv(path, index=False)
    with pytest.raises(UserError, match=r"is a list, and a row must be one interaction.*explode"):
        load_file(path, skip_bad_rows=True)


def test_brackets_may_occur_in_names(load_file: LoadFile) -> None:
    names = ["[REC]", "(500) Days", "(1984)", "[a], b", "{x}", "[tea]"]
    content = "user;item\n" + "".join(f"1;{name}\n" for name in names)
    assert histories(load_file(content)) == {1: names}


def test_several_numbers_in_most_cells_are_a_warning(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    load_file("user,items\n1,3 4 5\n2,3 4\n3,7\n")
    assert "most items are several numbers, such as '3 4 5'" in caplog.text


@pytest.mark.parametrize(
    "content", ["user,item,rating\nann , 3,1\nann,3 ,2\n\u3000ann,\t3,2\n", "ann , 3,1\nann,3,2\nann, 3,5\n"]
)
def test_ids_are_trimmed(load_file: LoadFile, content: str) -> None:
    assert histories(load_file(content)) == {"ann": [3, 3, 3]}


@pytest.mark.parametrize("role", ["user", "item"])
def test_ids_of_parquet_are_trimmed_too(load_file: LoadFile, tmp_path: Path, role: str) -> None:
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "x"]})
    frame[role] = ["a ", " a"]
    for kind in ("str", "category"):
        frame.astype({role: kind}).to_parquet(tmp_path / "ids.parquet")
        data = load_file(tmp_path / "ids.parquet")
        assert (data.user_ids if role == "user" else data.item_ids).tolist() == ["a"]


def test_decimal_and_bytes_are_ids(load_file: LoadFile, tmp_path: Path) -> None:

    path = tmp_path / "ids.parquet"
    frame = pd.DataFrame({"user": [decimal.Decimal("12"), decimal.Decimal("7")], "item": [b"tea", b"cup"]})
    frame["rating"], frame["time"] = decimal.Decimal("3.5"), [decimal.Decimal(100), decimal.Decimal(50)]
    frame.to_parquet(path)
    data = load_file(path)
    assert histories(data) == {12: ["tea"], 7: ["cup"]}
    assert data.ratings is not None and data.ratings.tolist() == [3.5, 3.5]
    assert data.timestamps is not None and data.timestamps.tolist() == [50, 100]
    frame["item"] = [b"\xff\xfe", b"\x00\x01"]
    frame.to_parquet(path)
    with pytest.raises(UserError, match=r"bytes that are not UTF-8 text.*hex"):
        load_file(path)
