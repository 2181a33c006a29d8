"""SLIS, SLIT, SLIST, Markov chains and sequential rules against loops over rows and pairs."""

import itertools
import math

import numpy as np
import pytest
import torch
from helpers import random_histories, sequence_data

from common.errors import UserError
from dataloaders.batch import Batch
from models import MODELS, Dimensions, Model

USERS, ITEMS = 30, 9
HISTORIES = [*random_histories(5, USERS, ITEMS, 14, repeats=True), [], [3]]


def fitted(code: str, **options: object) -> Model:
    """The model of all histories."""
    data = sequence_data(HISTORIES, ITEMS)
    kind = MODELS[code]
    model = kind(kind.Options(**options), Dimensions(ITEMS, len(HISTORIES), 20))
    model.fit(torch.from_numpy(data.items.astype(np.int64)), torch.from_numpy(data.offsets))
    return model


def scores(model: Model, history: list[int], padding: int = 0) -> np.ndarray:
    items = torch.tensor([[0] * padding + history])
    return model.scores(Batch(torch.tensor([0]), items)).numpy()[0]


def rows(decay: float, norm: float | None) -> tuple[np.ndarray, np.ndarray]:
    """S and T, row by row."""
    prefixes, targets = [], []
    for history in HISTORIES:
        for t in range(len(history) - 1):
            before = np.exp(-(t - np.arange(t + 1)) / decay)
            after = np.exp(-np.arange(len(history) - 1 - t) / decay)
            for weights, items, kept in ((before, history[: t + 1], prefixes), (after, history[t + 1 :], targets)):
                row = np.zeros(ITEMS + 1)
                np.add.at(row, items, weights / (1 if norm is None else np.linalg.norm(weights, norm)))
                kept.append(row)
    return np.array(prefixes), np.array(targets)


def sets(norm: float | None) -> np.ndarray:
    """X, row by row."""
    matrix = np.zeros((len(HISTORIES), ITEMS + 1))
    for number, history in enumerate(HISTORIES):
        matrix[number, history] = 1
        if history and norm is not None:
            matrix[number] /= np.linalg.norm(matrix[number], norm)
    return matrix


NORMS = {"none": None, "l1": 1, "l2": 2}


@pytest.mark.parametrize("row_norm", NORMS)
@pytest.mark.parametrize("decay", [0.3, 1, 7])
@pytest.mark.parametrize("alpha", [0, 0.4])
def test_slist_is_the_ridge_regression_of_its_rows(row_norm: str, decay: float, alpha: float) -> None:
    s, t = rows(decay, NORMS[row_norm])
    x = sets(NORMS[row_norm])
    left = alpha * x.T @ x + (1 - alpha) * s.T @ s + 0.7 * np.eye(ITEMS + 1)
    expected = np.linalg.solve(left, alpha * x.T @ x + (1 - alpha) * s.T @ t)
    changes = {"alpha": alpha} if alpha else {}
    code = "slist" if alpha else "slit"
    model = fitted(code, l2=0.7, train_decay=decay, row_norm=row_norm, input_decay=2.0, **changes)
    np.testing.assert_allclose(model.item_weights.numpy(), expected, atol=2e-6)
    wanted = sum(math.exp(-age / 2) * expected[item] for age, item in enumerate([4, 2, 2, 7][::-1]))
    np.testing.assert_allclose(scores(model, [4, 2, 2, 7], padding=3), wanted, atol=1e-5)


def test_slis_is_a_regression_on_the_other_items() -> None:
    x = sets(2)
    model = fitted("slis", l2=0.5, row_norm="l2")
    for item in range(1, ITEMS + 1):
        others = [other for other in range(1, ITEMS + 1) if other != item]
        left = x[:, others].T @ x[:, others] + 0.5 * np.eye(ITEMS - 1)
        expected = np.linalg.solve(left, x[:, others].T @ x[:, item])
        np.testing.assert_allclose(model.item_weights[others, item].numpy(), expected, atol=1e-5)
        assert model.item_weights[item, item] == 0


def test_slis_without_norms_and_decay_is_ease() -> None:
    """EASE weights all items of a history alike."""
    slis, ease = fitted("slis", l2=3.0, row_norm="none", input_decay=1e9), fitted("ease", l2=3.0)
    torch.testing.assert_close(slis.item_weights, ease.item_weights)


@pytest.mark.parametrize("backoff", [0, 2.5])
def test_a_markov_chain_counts_transitions(backoff: float) -> None:
    counts = np.zeros((ITEMS + 1, ITEMS + 1))
    for history in HISTORIES:
        for one, other in itertools.pairwise(history):
            counts[one, other] += 1
    flat = np.concatenate([np.array(history, dtype=int) for history in HISTORIES])
    share = np.bincount(flat, minlength=ITEMS + 1) / len(flat)
    model = fitted("markov", backoff=backoff)
    expected = (counts[4] + backoff * share) / (counts[4].sum() + backoff)
    np.testing.assert_allclose(scores(model, [1, 4]), expected, rtol=1e-5)
    np.testing.assert_allclose(scores(model, [0]), share, rtol=1e-5)


@pytest.mark.parametrize("kept", [None, 3])
def test_sequential_rules_count_what_follows_closely(kept: int | None) -> None:
    expected = np.zeros((ITEMS + 1, ITEMS + 1))
    for history in HISTORIES:
        for (i, one), (j, other) in itertools.combinations(enumerate(history), 2):
            expected[one, other] += 1 / (j - i) if j - i <= 4 else 0
    if kept is not None:
        expected[expected < np.sort(expected, axis=1)[:, [-kept]]] = 0
    model = fitted("sequential_rules", steps=4, rules_per_item=kept)
    for item in range(1, ITEMS + 1):
        if np.count_nonzero(expected[item]) == (kept or np.count_nonzero(expected[item])):  # no tie at the border
            np.testing.assert_allclose(scores(model, [5, item]), expected[item], rtol=1e-5)


@pytest.mark.parametrize("code", ["slis", "slit", "slist", "markov", "sequential_rules"])
def test_a_catalogue_too_large_is_refused_with_the_size(code: str) -> None:
    kind = MODELS[code]
    with pytest.raises(UserError, match=r"200,001 x 200,001, about [\d.]+ GiB.*max_matrix_gib"):
        kind(kind.Options(), Dimensions(200_000, 10, 20))
