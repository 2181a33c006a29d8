"""Real files against published figures or figures counted independently here."""

import gzip
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import datasets
from datasets.sequence_data import SequenceData

pytestmark = pytest.mark.real

FindReal = Callable[[str], Path]
LoadFile = Callable[..., SequenceData]


def test_ml_1m_order(real_data: FindReal, load_file: LoadFile) -> None:
    path = real_data("ml-1m-order.txt.gz")
    started = time.perf_counter()
    data = load_file(path, min_uc=5, min_sc=5)
    assert time.perf_counter() - started < 15  # 3 on an idle machine
    assert (data.num_users, data.num_items, data.num_interactions) == (6040, 3416, 999_611)
    assert data.timestamps is None
    assert not data.repeat_consumption
    expected = defaultdict(list)
    for line in gzip.decompress(path.read_bytes()).splitlines():
        user, item = line.split()
        expected[int(user)].append(int(item))
    for row in (0, 17, 6039):
        items = data.item_ids[data.items[data.offsets[row] : data.offsets[row + 1]] - 1]
        assert items.tolist() == expected[int(data.user_ids[row])]


def test_ml_1m_order_matches_the_published_file(real_data: FindReal, load_file: LoadFile, tmp_path: Path) -> None:
    """The stable order of the first 2,998 users is that of the published file."""
    folder = tmp_path / "Data" / "ml-1m"
    folder.mkdir(parents=True)
    shutil.copyfile(real_data("ml-1m-users-1-2998.ratings.dat.gz"), folder / "ratings.dat.gz")
    options = datasets.DATASETS["ml-1m"].Options(local_data_folder=tmp_path / "Data", min_uc=0, min_sc=0)
    ours = datasets.load("ml-1m", options)
    assert (ours.num_users, ours.num_interactions) == (2998, 487_515)
    published = load_file(real_data("ml-1m-order.txt.gz"))
    common = np.isin(ours.item_ids, published.item_ids)
    end = int(published.offsets[2998])
    mine = np.asarray(ours.item_ids[ours.items - 1])[common[ours.items - 1]]
    theirs = published.item_ids[published.items[:end] - 1]
    np.testing.assert_array_equal(mine, theirs)


def test_ml_100k(real_data: FindReal, load_file: LoadFile) -> None:
    data = load_file(real_data("ml-100k-u.data.gz"))
    assert (data.num_users, data.num_items, data.num_interactions) == (943, 1682, 100_000)
    assert data.ratings is not None
    assert data.ratings.mean() == pytest.approx(3.52986)
    assert datasets.statistics(data)["first_time"].startswith("1997-09-20")


def test_amazon(real_data: FindReal, load_file: LoadFile) -> None:
    games = load_file(real_data("amazon-games-order.txt.gz"))
    assert games.num_interactions == 287_107
    beauty = load_file(real_data("amazon-beauty-order.txt.gz"))
    assert beauty.num_interactions == 353_962
