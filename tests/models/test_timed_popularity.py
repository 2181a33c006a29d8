"""Recent and decayed popularity against loops over all interactions, and what they may not see."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataloaders.batch import Batch
from models import MODELS, Dimensions, Model

DAY = 24 * 3600
ITEMS = 6


def fitted(code: str, items: np.ndarray, times: np.ndarray, **options: object) -> Model:
    """The model of three users with these interactions."""
    kind = MODELS[code]
    model = kind(kind.Options(**options), Dimensions(ITEMS, 3, 5, num_interactions=len(items)))
    offsets = torch.tensor([0, len(items) // 3, len(items) // 3, len(items)])
    model.fit(torch.from_numpy(items), offsets, timestamps=torch.from_numpy(times))
    return model


def scores(model: Model, requests: list[int]) -> np.ndarray:
    """[B, ITEMS + 1] at these times."""
    empty = torch.zeros(len(requests), 1, dtype=torch.int64)
    return model.scores(Batch(empty[:, 0], empty, request_times=torch.tensor(requests))).numpy()


def expected(code: str, items: np.ndarray, times: np.ndarray, request: int, days: float) -> np.ndarray:
    """The score by definition: a sum over the interactions before the request."""
    request = min(request, times.max() + 1)
    total = np.zeros(ITEMS + 1)
    for item, time in zip(items, times, strict=True):
        age = request - time
        if code == "recent_pop":
            total[item] += 0 < age <= days * DAY
        elif age > 0:
            total[item] += math.exp(-age / (days * DAY / math.log(2)))
    return total


def made_up(seed: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(1, ITEMS + 1, count), random.integers(0, 40, count) * DAY // 4


@pytest.mark.parametrize("code, option", [("recent_pop", "window_days"), ("decay_pop", "half_life_days")])
@pytest.mark.parametrize("days", [0.25, 2, 50])
def test_the_sum_over_all_earlier_interactions(code: str, option: str, days: float) -> None:
    items, times = made_up(1)
    model = fitted(code, items, times, **{option: days})
    requests = [0, 5 * DAY, 5 * DAY, 3 * DAY + 1, 9 * DAY, 10 * DAY, 500 * DAY]
    wanted = np.stack([expected(code, items, times, request, days) for request in requests])
    np.testing.assert_allclose(scores(model, requests), wanted, rtol=1e-5)


@pytest.mark.parametrize("code", ["recent_pop", "decay_pop"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), request=st.integers(1, 10 * DAY))
def test_nothing_at_or_after_the_request_counts(code: str, seed: int, request: int) -> None:
    """The scores don't change if all interactions from the request on are of other items."""
    items, times = made_up(seed)
    later = times >= request
    changed = np.where(later, items % ITEMS + 1, items)
    before = scores(fitted(code, items, times), [request])
    np.testing.assert_array_equal(scores(fitted(code, changed, times), [request]), before)


def test_a_request_after_training_sees_its_last_days() -> None:
    """Time stands still at the end: otherwise no interaction would be recent."""
    items, times = np.array([1, 2, 2, 3]), np.array([0, 8, 9, 10]) * DAY
    got = scores(fitted("recent_pop", items, times, window_days=3), [300 * DAY])
    np.testing.assert_array_equal(got[0, 1:4], [0, 2, 1])
