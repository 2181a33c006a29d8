"""V-SKNN and STAN against loops over sessions and their items, as their authors' code has them."""

import math

import numpy as np
import pytest
import torch
from helpers import random_histories, sequence_data

from dataloaders.batch import Batch
from models import MODELS, Dimensions, Model

ITEMS, LENGTH, DAY = 15, 6, 24 * 3600
HISTORIES = [*random_histories(8, 25, ITEMS, 11, repeats=True), []]
TIMES = np.sort(np.random.default_rng(2).integers(0, 30 * DAY, sum(map(len, HISTORIES))))
INPUTS = [[3, 5, 9], [2, 2, 7, 2, 11, 4], [1]]


def fitted(code: str, **options: object) -> Model:
    kind = MODELS[code]
    data = sequence_data(HISTORIES, ITEMS)
    model = kind(kind.Options(**options), Dimensions(ITEMS, len(HISTORIES), LENGTH))
    times = {"timestamps": torch.from_numpy(TIMES)} if options.get("use_time") else {}
    model.fit(torch.from_numpy(data.items.astype(np.int64)), torch.from_numpy(data.offsets), **times)
    return model


def scores(model: Model, requests: list[int] | None = None) -> np.ndarray:
    items = torch.tensor([[0] * (LENGTH - len(history)) + history for history in INPUTS])
    times = None if requests is None else torch.tensor(requests)
    return model.scores(Batch(torch.arange(len(items)), items, request_times=times)).numpy()


def sessions(per_user: int) -> list[tuple[list[int], int]]:
    """(items, time of the last) of each session."""
    found, before = [], 0
    for history in HISTORIES:
        for nth in range(per_user):
            end = len(history) - nth * LENGTH
            if end > 0:
                found.append((history[max(0, end - LENGTH) : end], int(TIMES[before + end - 1])))
        before += len(history)
    return found


def stan(current: list[int], items: list[int], age: float) -> tuple[float, dict[int, float]]:
    """Similarity of a session, and the factor of each of its items."""
    position = {item: math.exp((place - len(current)) / 1.02) for place, item in enumerate(current, 1)}
    common = set(position) & set(items)
    if not common:
        return 0.0, {}
    norm = math.sqrt(sum(weight**2 for weight in position.values())) * math.sqrt(len(set(items)))
    last = max(place for place, item in enumerate(items) if item in position)
    where = {item: place for place, item in enumerate(items)}
    similarity = sum(position[item] for item in common) / norm * math.exp(-age / (5 * DAY))
    return similarity, {item: math.exp(-abs(place - last) / 2.05) for item, place in where.items()}


def vsknn(current: list[int], items: list[int], age: float) -> tuple[float, dict[int, float]]:
    position = {item: place / len(current) for place, item in enumerate(current, 1)}
    common = set(position) & set(items)
    if not common:
        return 0.0, {}
    step = next(step for step, item in enumerate(reversed(current), 1) if item in common)
    return sum(position[item] for item in common) / len(position), dict.fromkeys(items, 1 / step)


SIMILAR = {"stan": stan, "vsknn": vsknn}


def expected(code: str, current: list[int], per_user: int, kept: int, newest: int, request: int | None) -> np.ndarray:
    found = sessions(per_user)
    if request is not None:
        sharing = [session for session in found if set(session[0]) & set(current)]
        found = sorted(sharing, key=lambda session: -session[1])[:newest]
    ages = [0 if request is None else abs(request - time) for _, time in found]
    each = [SIMILAR[code](current, items, age) for (items, _), age in zip(found, ages, strict=True)]
    total = np.zeros(ITEMS + 1)
    for similarity, factors in sorted(each, key=lambda pair: -pair[0])[:kept]:
        for item, factor in factors.items():
            total[item] += similarity * factor
    return total


@pytest.mark.parametrize("code", SIMILAR)
@pytest.mark.parametrize("per_user", [1, 3])
def test_scores_sum_over_all_sessions(code: str, per_user: int) -> None:
    got = scores(fitted(code, neighbours=100, sessions_per_user=per_user))
    wanted = np.stack([expected(code, current, per_user, 100, 100, None) for current in INPUTS])
    np.testing.assert_allclose(got[:, 1:], wanted[:, 1:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("code", SIMILAR)
def test_the_newest_sessions_that_share_an_item(code: str) -> None:
    requests = [31 * DAY, 40 * DAY, 30 * DAY + 5]
    model = fitted(code, neighbours=100, sessions_per_user=1, use_time=True, candidate_sessions=7)
    pairs = zip(INPUTS, requests, strict=True)
    wanted = np.stack([expected(code, current, 1, 100, 7, request) for current, request in pairs])[:, 1:]
    got = scores(model, requests)[:, 1:]  # up to a factor for each row
    np.testing.assert_allclose(got / got.sum(1)[:, None], wanted / wanted.sum(1)[:, None], rtol=1e-4, atol=1e-7)


def test_only_the_nearest_sessions_count() -> None:
    """STAN's similarities have no ties here but those of equal sessions."""
    wanted = np.stack([expected("stan", current, 1, 4, 100, None) for current in INPUTS[:2]])
    got = scores(fitted("stan", neighbours=4, sessions_per_user=1))[:2]
    np.testing.assert_allclose(got[:, 1:], wanted[:, 1:], rtol=1e-4, atol=1e-6)
