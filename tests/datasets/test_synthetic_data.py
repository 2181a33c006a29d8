"""Generated data has the properties that its options ask for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datasets
from datasets.sequence_data import SequenceData


def load(folder: Path, **options: Any) -> SequenceData:
    given = {"min_uc": 0, "min_sc": 0, "local_data_folder": folder, **options}
    return datasets.load("synthetic", datasets.DATASETS["synthetic"].Options(**given))


def share_predicted(data: SequenceData) -> float:
    """Accuracy of predicting the most frequent successor, counted on the first half of users, on the second half."""
    user = np.repeat(np.arange(data.num_users), data.lengths)
    inside = user[1:] == user[:-1]
    before, after = np.asarray(data.items[:-1])[inside], np.asarray(data.items[1:])[inside]
    learn = user[1:][inside] < data.num_users // 2
    counts = np.zeros((data.num_items + 1, data.num_items + 1))
    np.add.at(counts, (before[learn], after[learn]), 1)
    return float((counts.argmax(axis=1)[before[~learn]] == after[~learn]).mean())


def test_size_matches_the_options(tmp_path: Path) -> None:
    data = load(tmp_path, synthetic_users=5000, synthetic_items=100, synthetic_length=20)
    assert data.num_users == 5000
    assert data.num_items == 100
    assert data.lengths.mean() == pytest.approx(20, abs=0.7)
    assert data.lengths.min() == 5


def test_predictability_is_the_accuracy_of_a_first_order_model(tmp_path: Path) -> None:
    shares = {
        chance: share_predicted(load(tmp_path, predictability=chance, taste_drift=0.0, synthetic_items=200))
        for chance in (0.0, 0.5, 1.0)
    }
    assert shares[0.0] < 0.15  # no better than naming the most popular item
    assert 0.2 < shares[0.5] < 0.45  # both this step and the one before must have been in the chain
    assert shares[1.0] > 0.99


def test_noise_is_unpredictable(tmp_path: Path) -> None:
    """With predictability 0, consecutive items are as independent as distant ones."""
    data = load(tmp_path, predictability=0.0, synthetic_users=4000, synthetic_items=50, popularity_skew=1.0)
    popularity = np.bincount(data.items)[1:] / data.num_interactions
    user = np.repeat(np.arange(data.num_users), data.lengths)
    inside = user[1:] == user[:-1]
    same = (np.asarray(data.items[1:]) == np.asarray(data.items[:-1]))[inside].mean()
    assert same == pytest.approx(float((popularity**2).sum()), rel=0.1)


def test_popularity_skew_matches_the_option(tmp_path: Path) -> None:
    def top_tenth(skew: float) -> float:
        data = load(tmp_path, popularity_skew=skew, synthetic_items=300)
        counts = np.sort(np.bincount(data.items, minlength=301)[1:])[::-1]
        return float(counts[:30].sum() / counts.sum())

    assert top_tenth(0.0) < 0.15
    assert top_tenth(0.0) < top_tenth(0.7) < top_tenth(1.5)


def test_tastes_drift(tmp_path: Path) -> None:
    """With taste drift, a user's history reaches more items of the chains."""

    def distinct(drift: float) -> float:
        data = load(tmp_path, taste_drift=drift, predictability=1.0, synthetic_length=60, synthetic_groups=50)
        user = np.repeat(np.arange(data.num_users), data.lengths)
        return len(np.unique(user * 10_000 + data.items)) / data.num_interactions

    assert distinct(0.0) < 0.4 < distinct(0.3)


def test_seed_decides_everything(tmp_path: Path) -> None:
    one, same, other = (load(tmp_path / str(i), synthetic_seed=seed) for i, seed in enumerate((1, 1, 2)))
    np.testing.assert_array_equal(one.items, same.items)
    np.testing.assert_array_equal(one.timestamps, same.timestamps)
    assert one.hash == same.hash != other.hash
    assert not np.array_equal(one.items[:100], other.items[:100])


def test_stream_is_stable(tmp_path: Path) -> None:
    """Other tests and tables depend on the default dataset: it may only change with the reader's version."""
    data = load(tmp_path)
    assert data.items[:8].tolist() == STREAM
    assert data.num_interactions == 58114


STREAM = [278, 404, 61, 128, 294, 366, 114, 446]


def test_times_ascend_and_ratings_are_stars(tmp_path: Path) -> None:
    data = load(tmp_path)
    assert data.timestamps is not None
    assert data.ratings is not None
    user = np.repeat(np.arange(data.num_users), data.lengths)
    assert (np.diff(data.timestamps)[user[1:] == user[:-1]] >= 0).all()
    assert set(np.unique(data.ratings)) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "options",
    [
        {"synthetic_users": 1, "synthetic_items": 2, "synthetic_groups": 1},
        {"synthetic_items": 3, "synthetic_groups": 50},
        {"synthetic_length": 5},
        {"taste_drift": 1.0, "predictability": 1.0},
        {"popularity_skew": 5.0},
    ],
)
def test_extremes_work(tmp_path: Path, options: dict[str, Any]) -> None:
    data = load(tmp_path, **options)
    assert data.num_interactions >= 5
    assert data.items.max() <= data.num_items
