"""Statistics of real files, compared with plain Python that shares no code with the package."""

import csv
import gzip
import io
import shutil
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import datasets
from datasets.sequence_data import SequenceData
from datasets.stats import undecided_places

pytestmark = pytest.mark.real

FindReal = Callable[[str], Path]
LoadFile = Callable[..., SequenceData]
Row = tuple[str, str, int]  # user, item, seconds


def lines(path: Path, separator: str | None = None) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="ascii") as file:
        for line in file:
            yield line.rstrip("\n").split(separator)


def core(rows: list[Row], least: int) -> list[Row]:
    """Keep users and items with at least the given numbers of rows, until nothing changes."""
    while True:
        items = Counter(item for _, item, _ in rows)
        kept = [row for row in rows if items[row[1]] >= least]
        users = Counter(user for user, _, _ in kept)
        kept = [row for row in kept if users[row[0]] >= least]
        if len(kept) == len(rows):
            return kept
        rows = kept


def histories(rows: list[Row]) -> list[list[Row]]:
    """Each user's rows in time order, ties as in the file."""
    of_user = defaultdict(list)
    for row in rows:
        of_user[row[0]].append(row)
    return [sorted(history, key=lambda row: row[2]) for history in of_user.values()]


def counted(rows: list[Row]) -> dict[str, Any]:
    """The figures of `datasets.statistics`, computed row by row; shares of future interactions by sorting all times."""
    users = histories(rows)
    tested = [history for history in users if len(history) >= 3]
    training = sorted(t for history in users for _, _, t in (history[:-2] if len(history) >= 3 else history))
    tied = repeated = distinct = 0
    for history in users:
        times = Counter(t for _, _, t in history)
        tied += sum(count for count in times.values() if count > 1)
        once = {(item, t) for _, item, t in history}  # without exact copies
        repeated, distinct = repeated + len(once) - len({item for item, _ in once}), distinct + len(once)

    def undecided(place: int) -> int:
        return sum(len({i for _, i, t in history if t == history[place][2]}) > 1 for history in tested)

    lengths = sorted(len(history) for history in users)
    middle = len(lengths) // 2
    return {
        "users": len(users),
        "items": len({item for _, item, _ in rows}),
        "interactions": len(rows),
        "length_max": lengths[-1],
        "length_median": lengths[middle] if len(lengths) % 2 else (lengths[middle - 1] + lengths[middle]) / 2,
        "repeat_rate": repeated / distinct,
        "exact_copies": len(rows) - distinct,
        "tied_timestamps": tied / len(rows),
        "tied_test_targets": undecided(-1),
        "tied_validation_targets": undecided(-2),
        "future_leak": sum(history[-1][2] < training[-1] for history in tested) / len(tested),
        "span_days": (max(t for _, _, t in rows) - min(t for _, _, t in rows)) / 86_400,
    }


def check(data: SequenceData, rows: list[Row]) -> dict[str, Any]:
    figures, expected = datasets.statistics(data), counted(rows)
    assert {key: figures[key] for key in expected} == pytest.approx(expected)
    return figures


def ratings(real_data: FindReal, tmp_path: Path) -> tuple[Callable[..., SequenceData], list[Row]]:
    """The first 2,998 users of MovieLens-1M: a function to load them, and their rows."""
    path = real_data("ml-1m-users-1-2998.ratings.dat.gz")
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    shutil.copyfile(path, folder / "ratings.dat.gz")

    def load(**options: Any) -> SequenceData:
        return datasets.load("ml-1m", datasets.DATASETS["ml-1m"].Options(local_data_folder=tmp_path, **options))

    return load, [(user, item, int(seconds)) for user, item, _, seconds in lines(path, "::")]


def test_ml_1m_after_min_sc_5(real_data: FindReal, load_file: LoadFile) -> None:
    path = real_data("ml-1m-order-ties-shuffled.txt.gz")
    rows = [(user, item) for user, item in lines(path)]
    counts = Counter(item for _, item in rows)
    kept = [row for row in rows if counts[row[1]] >= 5]
    assert (len(rows), len(counts), len(kept)) == (1_000_209, 3_706, 999_611)
    whole, data = load_file(path), load_file(path, min_sc=5)
    assert (whole.num_interactions, whole.num_items) == (1_000_209, 3_706)
    assert (data.num_users, data.num_items, data.num_interactions) == (6_040, 3_416, 999_611)
    assert len({item for _, item in kept}) == data.num_items
    longest = Counter(user for user, _ in kept).most_common(1)[0][1]
    assert datasets.statistics(data)["length_max"] == longest


def test_ml_1m_figures_about_time(real_data: FindReal, tmp_path: Path) -> None:
    load, rows = ratings(real_data, tmp_path)
    assert len(rows) == 487_515
    figures = check(load(), core(rows, 5))
    assert figures["tied_timestamps"] > 0.7
    assert figures["first_time"].startswith("2000-")


def test_ml_1m_shuffled_ties_change_only_tied_targets(real_data: FindReal, load_file: LoadFile, tmp_path: Path) -> None:
    """The last items that differ between two published files are among the tied targets."""
    load, _ = ratings(real_data, tmp_path)
    data = load(min_uc=0, min_sc=0)
    assert data.timestamps is not None
    could = undecided_places(data, data.timestamps)[data.offsets[1:] - 1]
    last: dict[str, dict[str, str]] = {}
    for name in ("ml-1m-order.txt.gz", "ml-1m-order-ties-shuffled.txt.gz"):
        last[name] = dict(lines(real_data(name)))  # the last one stays
    one, other = last.values()
    changed = [user for user in map(str, data.user_ids.tolist()) if one[user] != other[user]]
    assert len(changed) > 500
    missing = [user for user in changed if not could[int(user) - 1]]
    # Other differences are due to rare films, which one of the files lacks.
    rare = {
        item
        for item, count in Counter(i for _, i in lines(real_data("ml-1m-order-ties-shuffled.txt.gz"))).items()
        if count < 5
    }
    assert all(other[user] in rare for user in missing)


def test_ml_1m_subsampling_options(real_data: FindReal, tmp_path: Path) -> None:
    load, rows = ratings(real_data, tmp_path)
    begin, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2001, 2002))
    within = [row for row in rows if begin <= row[2] < end]
    plain = {"min_uc": 0, "min_sc": 0}
    check(load(since="2001-01-01", until="2002-01-01", **plain), within)
    popular = Counter(item for _, item, _ in rows).most_common(101)
    assert popular[99][1] > popular[100][1], "no tie decides"
    best = {item for item, _ in popular[:100]}
    data = load(max_items=100, **plain)
    assert set(map(str, data.item_ids.tolist())) == best
    assert data.num_interactions == sum(row[1] in best for row in rows)
    assert load(subsample_users=100, **plain).num_users == 100


def test_ml_1m_ties_by_item(real_data: FindReal, tmp_path: Path) -> None:
    load, rows = ratings(real_data, tmp_path)
    data = load(tie_order="item", min_uc=0, min_sc=0)
    for user in (1, 17, 2998):
        expected = sorted((t, int(item)) for u, item, t in rows if u == str(user))
        items = data.item_ids[data.items[data.offsets[user - 1] : data.offsets[user]] - 1]
        assert items.tolist() == [item for _, item in expected]


def test_ml_100k(real_data: FindReal, load_file: LoadFile) -> None:
    path = real_data("ml-100k-u.data.gz")
    rows = [(user, item, int(t)) for user, item, _, t in lines(path)]
    assert (len({row[0] for row in rows}), len({row[1] for row in rows}), len(rows)) == (943, 1682, 100_000)
    check(load_file(path), rows)
    check(load_file(path, min_uc=5, min_sc=5), core(rows, 5))


@pytest.mark.parametrize("name", ["amazon-games-order.txt.gz", "amazon-beauty-order.txt.gz"])
def test_amazon(real_data: FindReal, load_file: LoadFile, name: str) -> None:
    rows = [(user, item, 0) for user, item in lines(real_data(name))]
    figures = datasets.statistics(load_file(real_data(name), min_uc=5, min_sc=5))
    kept = core(rows, 5)
    expected = counted(kept)
    for key in ("users", "items", "interactions", "length_max", "length_median", "repeat_rate"):
        assert figures[key] == pytest.approx(expected[key])
    assert figures["tied_test_targets"] is None


@pytest.mark.slow
def test_online_retail(real_data: FindReal, tmp_path: Path) -> None:
    folder = tmp_path / "ecommerce"
    folder.mkdir()
    shutil.copyfile(real_data("ecommerce-data.zip"), folder / "ecommerce-data.zip")
    customers, codes, count = set(), set(), 0
    first: dict[tuple[str, str, str], Row] = {}
    with zipfile.ZipFile(folder / "ecommerce-data.zip") as archive, archive.open("data.csv") as raw:
        table = csv.reader(io.TextIOWrapper(raw, "latin-1"))
        assert next(table)[0] == "InvoiceNo"
        for invoice, item, _, quantity, date, _, customer, _ in table:
            count += 1
            codes.add(item)
            customers.add(customer)
            if customer and not invoice.startswith("C") and int(quantity) > 0:
                when = datetime.strptime(date, "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
                first.setdefault((invoice, customer, item), (customer, item, int(when.timestamp())))
    assert (count, len(customers - {""}), len(codes)) == (541_909, 4_372, 4_070)
    rows = list(first.values())

    def load(**options: Any) -> SequenceData:
        given = {"local_data_folder": tmp_path, "min_uc": 0, "min_sc": 0, **options}
        return datasets.load("ecommerce", datasets.DATASETS["ecommerce"].Options(**given))

    every = {"keep_cancellations": True, "keep_non_positive": True}
    assert load(**every).num_users == 4_372
    assert load(**every, keep_anonymous=True).num_items == 4_070
    everything = load()
    assert (everything.num_interactions, everything.num_users) == (len(rows), 4_339) and len(rows) == 387_875
    assert everything.repeat_consumption
    check(load(min_uc=5, min_sc=5), core(rows, 5))
    once: dict[tuple[str, str], Row] = {}
    for history in histories(rows):
        for row in history:
            once.setdefault(row[:2], row)
    check(load(repeats="first"), list(once.values()))
    summed = load(repeats="sum")
    assert summed.ratings is not None
    assert summed.ratings.sum() == len(rows)
    assert summed.num_interactions == len(once)
