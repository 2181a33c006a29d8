"""A small generated file in the format of each dataset, so that all of them can be loaded."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import datasets
from datasets.base import DatasetOptions
from datasets.raw_files import RawFileDataset
from datasets.raw_tables import Table

USERS, ITEMS, LONGEST = 40, 20, 15
START, DAY, SPAN = 1_300_000_000, 86_400, 60  # seconds, seconds, days: some formats tell time by the day

Interaction = tuple[int, int, int, int]  # user, item, rating, seconds


def interactions(seed: int = 0) -> list[Interaction]:
    """Unordered histories with tied timestamps, some of them short, without repeated items."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(1, USERS + 1):
        items = random.permutation(ITEMS)[: random.integers(1, LONGEST)] + 1
        times = START + random.integers(0, SPAN, len(items)) * DAY
        rows += [(user, int(i), int(random.integers(1, 6)), int(t)) for i, t in zip(items, times, strict=True)]
    return [rows[place] for place in random.permutation(len(rows))]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _table(table: Table, rows: list[Interaction]) -> str:
    """Rows in the layout that a dataset declares."""

    def field(column: str, row: Interaction) -> str:
        user, item, rating, seconds = row
        if column == "timestamp":
            return (
                _iso(seconds)
                if table.time_format == "ISO8601"
                else str(seconds * (1 if table.time_format == "s" else 1000))
            )
        return {"user": str(user), "item": str(item), "rating": str(rating), "event": "view"}.get(column, "0")

    lines = [table.separator.join(table.header)] if table.header else []
    lines += [table.separator.join(field(column, row) for column in table.columns) for row in rows]
    return "\n".join(lines) + "\n"


def _invoices(rows: list[Interaction]) -> str:
    """Online Retail; each item occurs once per invoice, as repeats in an invoice are merged."""
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for number, (user, item, rating, seconds) in enumerate(rows):
        when = datetime.fromtimestamp(seconds, UTC)
        date = f"{when.month}/{when.day}/{when.year} {when.hour}:{when.minute:02}"
        lines.append(f"{536365 + number},S{item},THING,{rating},{date},1.5,{user},France")
    return "\n".join(lines) + "\n"


def _reviews(rows: list[Interaction]) -> str:
    """Steam: one Python literal per line."""
    lines = [
        repr({"username": f"player {user}", "product_id": str(item), "date": _iso(seconds)[:10]})
        for user, item, _, seconds in rows
    ]
    return "\n".join(lines) + "\n"


def make(code: str, folder: Path) -> DatasetOptions:
    """Write the dataset's file to the data folder; returns options to load it without filters."""
    plain = {"local_data_folder": folder, "min_uc": 0, "min_sc": 0, "min_rating": None}
    kind = datasets.DATASETS[code]
    if code == "synthetic":
        small = {"synthetic_users": USERS, "synthetic_items": 3 * ITEMS, "synthetic_length": 60}
        return kind.Options(**plain, **small)
    rows = interactions()
    if code == "file":
        path = folder / "mine.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = "user,item,rating,timestamp\n"
        path.write_text(header + "".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        return kind.Options(**plain, dataset_path=path)
    assert issubclass(kind, RawFileDataset)
    options = kind.Options(**plain, dataset_url="none:")
    wanted = kind().declaration(options)
    content = {"ecommerce": _invoices, "steam": _reviews}.get(code, lambda rows: _table(kind.table, rows))(rows)
    path = folder / wanted.folder / wanted.names[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return options
