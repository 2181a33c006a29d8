"""ml-1m, ml-20m and ecommerce on small files of their formats."""

import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from plain_forms import histories

import datasets
from common.errors import UserError
from datasets.base import Dataset
from datasets.raw_files import RawFileDataset

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LINES = [
    ("536365", "85123A", "WHITE HANGING, HEART", 6, "12/1/2010 8:26", 2.55, "17850", "United Kingdom"),
    ("536365", "71053", "LANTERN £5", 6, "12/1/2010 8:26", 3.39, "17850", "United Kingdom"),
    ("536365", "85123A", "WHITE HANGING, HEART", 2, "12/1/2010 8:26", 2.55, "17850", "United Kingdom"),
    ("536366", "85123A", "WHITE HANGING, HEART", 1, "12/3/2010 9:00", 2.55, "17850", "United Kingdom"),
    ("536367", "POST", "POSTAGE", 1, "12/2/2010 8:26", 18, "12583", "France"),
    ("C536379", "71053", "LANTERN £5", -1, "12/4/2010 9:41", 3.39, "17850", "United Kingdom"),
    ("536380", "71053", "", 4, "12/4/2010 9:50", 0, "", "United Kingdom"),
    ("536381", "71053", "lost", -4, "12/4/2010 9:55", 0, "12583", "France"),
]


def load(code: str, folder: Path, **options: Any) -> datasets.SequenceData:
    given = {"min_uc": 0, "min_sc": 0, "local_data_folder": folder, "dataset_url": "none:", **options}
    return datasets.load(code, datasets.DATASETS[code].Options(**given))


def put(folder: Path, code: str, name: str, content: str | bytes) -> Path:
    path = folder / code / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
    return path


def as_csv() -> str:
    return (
        HEADER + "\n" + "".join(",".join(f'"{v}"' if "," in str(v) else str(v) for v in line) + "\n" for line in LINES)
    )


def as_workbook(path: Path) -> None:
    """UCI's workbook, with typed cells: numbers, times and empty cells."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER.split(","))
    for invoice, stock, description, quantity, date, price, customer, country in LINES:
        when = datetime.datetime.strptime(date, "%m/%d/%Y %H:%M")
        cells = [invoice, stock, description or None, quantity, when, price, customer, country]
        sheet.append([int(cell) if isinstance(cell, str) and cell.isdigit() else cell or None for cell in cells])
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def test_movielens_1m(tmp_path: Path) -> None:
    put(tmp_path, "ml-1m", "ratings.dat", "2::9::4::978300900\n1::7::5::978300760\n1::5::3::978300760\n1::6::1::5\n")
    data = load("ml-1m", tmp_path)
    assert histories(data) == {1: [6, 7, 5], 2: [9]}
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [5, 978300760, 978300760, 978300900]
    assert data.ratings is not None
    assert data.ratings.tolist() == [1, 5, 3, 4]
    assert not data.repeat_consumption
    assert load("ml-1m", tmp_path, min_rating=4).num_interactions == 2


def test_movielens_20m(tmp_path: Path) -> None:
    content = "userId,movieId,rating,timestamp\n1,2,3.5,1112486027\n1,29,0.5,1112484676\n10,2,5.0,1112484677\n"
    put(tmp_path, "ml-20m", "ratings.csv", content)
    data = load("ml-20m", tmp_path)
    assert histories(data) == {1: [29, 2], 10: [2]}
    assert data.ratings is not None
    assert data.ratings.tolist() == [0.5, 3.5, 5.0]


@pytest.mark.parametrize(
    ("code", "name", "content", "reason"),
    [
        ("ml-1m", "ratings.dat", "1::2::3::4\n1::x::3::4\n", "line 2: the item id 'x' is not an integer"),
        ("ml-1m", "ratings.dat", "1::2::3::4\n1::2::3\n", "line 2: expected 4 fields, found 3"),
        ("ml-1m", "ratings.dat", "1,2,3,4\n", "line 1: expected 4 fields separated by '::', found 1"),
        ("ml-1m", "ratings.dat", "", "is empty"),
        (
            "ml-20m",
            "ratings.csv",
            "1,2,3,4\n1,2,3,4\n",
            "expected the header 'userId, movieId, .*', found '1, 2, 3, 4'",
        ),
        ("ml-20m", "ratings.csv", "userId,movieId,rating,timestamp\n1,2,good,4\n", "line 2: the rating 'good'"),
        ("ml-20m", "ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,\n", "line 2: timestamp ''"),
        ("ecommerce", "data.csv", "a,b\n1,2\n", "line 1: expected 8 fields separated by ',', found 2"),
        ("ecommerce", "data.csv", as_csv().replace(",6,", ",six,", 1), "line 2: the quantity 'six'"),
        ("ecommerce", "data.csv", as_csv().replace("12/3/2010 9:00", "soon"), "line 5: timestamp 'soon'"),
        ("ecommerce", "data.csv", as_csv().replace("12583", "nobody", 1), "line 6: the user id 'nobody'"),
        ("ecommerce", "Online Retail.xlsx", "PK, but no workbook", "can't be read as an xlsx"),
    ],
)
def test_wrong_or_damaged_file_is_named(tmp_path: Path, code: str, name: str, content: str, reason: str) -> None:
    put(tmp_path, code, name, content)
    with pytest.raises(UserError, match=reason) as caught:
        load(code, tmp_path)
    assert name in str(caught.value)
    assert "skip_bad_rows" not in str(caught.value)


def test_ecommerce_defaults(tmp_path: Path) -> None:
    put(tmp_path, "ecommerce", "data.csv", as_csv())
    data = load("ecommerce", tmp_path)
    assert histories(data) == {12583: ["POST"], 17850: ["85123A", "71053", "85123A"]}
    assert data.repeat_consumption
    assert data.ratings is None
    assert data.timestamps is not None
    first = datetime.datetime(2010, 12, 1, 8, 26, tzinfo=datetime.UTC)
    assert data.timestamps[1] == first.timestamp()


def test_ecommerce_rows_can_be_kept(tmp_path: Path) -> None:
    put(tmp_path, "ecommerce", "data.csv", as_csv())
    assert histories(load("ecommerce", tmp_path, keep_anonymous=True))["invoice-536380"] == ["71053"]
    kept = load("ecommerce", tmp_path, keep_cancellations=True, keep_non_positive=True)
    assert histories(kept) == {12583: ["POST", "71053"], 17850: ["85123A", "71053", "85123A", "71053"]}
    assert histories(load("ecommerce", tmp_path, keep_cancellations=True))[17850] == [
        "85123A",
        "71053",
        "85123A",
        "71053",
    ]
    assert histories(load("ecommerce", tmp_path, keep_non_positive=True))[12583] == ["POST", "71053"]


def test_ecommerce_workbook_equals_csv(tmp_path: Path) -> None:
    put(tmp_path / "csv", "ecommerce", "data.csv", as_csv())
    as_workbook(tmp_path / "xlsx" / "ecommerce" / "Online Retail.xlsx")
    for options in ({}, {"keep_anonymous": True, "keep_cancellations": True, "keep_non_positive": True}):
        one, other = load("ecommerce", tmp_path / "csv", **options), load("ecommerce", tmp_path / "xlsx", **options)
        assert histories(one) == histories(other)
        np.testing.assert_array_equal(one.timestamps, other.timestamps)


@pytest.mark.parametrize(
    "sheet",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r=\'ABCDEFGH99999999999\'><v>1</v></c></row>',
        "<row>" + "<c><v>1</v></c>" * 3_000_000 + "</row>" + "<row></row>" * 100,
    ],
    ids=["the last cell", "beyond the last cell", "3 million cells in a row"],
)
def test_workbook_with_far_cells_is_an_error(tmp_path: Path, sheet: str) -> None:
    path = tmp_path / "ecommerce" / "Online Retail.xlsx"
    as_workbook(path)
    small = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(small)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name).decode()
            if name == "xl/worksheets/sheet1.xml":
                content = re.sub("<sheetData>.*</sheetData>", f"<sheetData>{sheet}</sheetData>", content)
            new.writestr(name, content)
    with pytest.raises(UserError, match="too large for a table"):
        load("ecommerce", tmp_path)


def test_ecommerce_workbook_in_a_zip(tmp_path: Path) -> None:
    workbook = tmp_path / "Online Retail.xlsx"
    as_workbook(workbook)
    (tmp_path / "ecommerce").mkdir()
    with zipfile.ZipFile(tmp_path / "ecommerce" / "online+retail.zip", "w") as archive:
        archive.write(workbook, "Online Retail.xlsx")
    assert load("ecommerce", tmp_path).num_interactions == 4


@pytest.mark.parametrize("dataset", datasets.DATASETS.values(), ids=datasets.DATASETS.keys())
def test_declarations_are_complete(dataset: type[Dataset[Any]]) -> None:
    assert datasets.DATASETS[dataset.code] is dataset
    assert dataset.description
    for name, field in dataset.Options.model_fields.items():
        assert field.description, f"{dataset.code}: {name} has no help"
    if issubclass(dataset, RawFileDataset):
        assert dataset.licence
        assert dataset.citation
        assert dataset.size
        assert dataset.home.startswith("https://")


@pytest.mark.parametrize("code", datasets.SPLITS)
def test_splits_are_complete(code: str) -> None:
    maker = datasets.SPLITS[code]
    assert maker.code == code
    assert maker.description
    assert all(field.description for field in maker.Options.model_fields.values())
