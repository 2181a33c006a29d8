"""EASE, item-kNN, ALS and the bias baseline against what their formulas say."""

import numpy as np
import pytest
import torch
from helpers import random_histories, sequence_data

from common.errors import UserError
from dataloaders.batch import Batch
from models import MODELS, Dimensions, Model

USERS, ITEMS = 40, 12


def interactions() -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Flat items, offsets, and the dense binary matrix [USERS, ITEMS + 1]."""
    data = sequence_data(random_histories(3, USERS, ITEMS, 8), ITEMS)
    dense = np.zeros((USERS, ITEMS + 1))
    dense[np.repeat(np.arange(USERS), data.lengths), data.items] = 1
    return torch.from_numpy(data.items.astype(np.int64)), torch.from_numpy(data.offsets), dense


def build(code: str, **options: object) -> Model:
    kind = MODELS[code]
    return kind(kind.Options(**options), Dimensions(ITEMS, USERS, 0))


def fitted(code: str, **options: object) -> tuple[Model, np.ndarray]:
    items, offsets, dense = interactions()
    model = build(code, **options)
    model.fit(items, offsets)
    return model, dense


def batch_of(dense: np.ndarray) -> Batch:
    """Rows as bags; padded on the right, which means nothing to a bag."""
    ids = torch.arange(dense.shape[1]).expand(len(dense), -1)
    weights = torch.from_numpy(dense).float()
    return Batch(torch.arange(len(dense)), torch.where(weights > 0, ids, 0), weights)


def test_ease_is_a_ridge_regression_of_each_item_on_the_others() -> None:
    model, dense = fitted("ease", l2=3.0)
    x = dense[:, 1:]
    expected = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        left = x[:, others].T @ x[:, others] + 3.0 * np.eye(ITEMS - 1)
        expected[others, item] = np.linalg.solve(left, x[:, others].T @ x[:, item])
    np.testing.assert_allclose(model.item_weights[1:, 1:].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(model.scores(batch_of(dense))[:, 1:].numpy(), x @ expected, atol=1e-5)


def test_ease_refuses_a_catalogue_that_is_too_large_with_the_size_it_needs() -> None:
    kind = MODELS["ease"]
    with pytest.raises(UserError, match=r"200,001 x 200,001, about 745\.1 GiB.*max_matrix_gib"):
        kind(kind.Options(), Dimensions(200_000, 10, 0))


def test_itemknn_sums_the_cosines_of_each_items_nearest() -> None:
    model, dense = fitted("itemknn", neighbours=4, shrink=1.5)
    x = dense[:, 1:]
    norms = np.sqrt(x.sum(0))
    similarity = x.T @ x / (np.outer(norms, norms) + 1.5)
    np.fill_diagonal(similarity, 0)
    threshold = np.sort(similarity, axis=1)[:, -4]
    kept = np.where(similarity >= threshold[:, None], similarity, 0)
    scores = model.scores(batch_of(dense))[:, 1:].numpy()
    exact = (similarity >= threshold[:, None]).sum(1) == 4  # items without a tie at the border
    users = dense[:, 1:][:, ~exact].sum(1) == 0  # users with such items only
    assert users.sum() > 2
    np.testing.assert_allclose(scores[users], (x @ kept)[users], atol=1e-5)


def test_als_folds_a_user_in_by_its_own_normal_equations() -> None:
    pytest.importorskip("implicit")
    torch.manual_seed(0)
    model, dense = fitted("als", hidden_units=5, l2=0.3, alpha=7.0, iterations=30)
    y = model.item_factors.double().numpy()
    scores = model.scores(batch_of(dense)).numpy()
    for user in range(0, USERS, 7):
        confidence = np.where(dense[user] > 0, 7.0, 1.0)
        vector = np.linalg.solve(y.T @ (confidence[:, None] * y) + 0.3 * np.eye(5), y.T @ (confidence * dense[user]))
        np.testing.assert_allclose(scores[user], y @ vector, atol=1e-4)


def test_als_prefers_what_users_have() -> None:
    pytest.importorskip("implicit")
    torch.manual_seed(0)
    model, dense = fitted("als", hidden_units=8, alpha=20.0)
    scores = model.scores(batch_of(dense))[:, 1:].numpy()
    x = dense[:, 1:] > 0
    assert scores[x].mean() > scores[~x].mean() + 0.3


def test_without_the_library_als_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "implicit.als", None)
    with pytest.raises(UserError, match="pip install implicit"):
        fitted("als")


def test_bias_is_the_least_squares_solution() -> None:
    items, offsets, dense = interactions()
    ratings = torch.from_numpy(np.random.default_rng(0).integers(1, 6, len(items)).astype(np.float32))
    model = build("bias", l2=2.0, iterations=200)
    model.fit(items, offsets, ratings=ratings)
    n, user = len(items), np.repeat(np.arange(USERS), np.diff(offsets.numpy()))
    design = np.zeros((n, USERS + ITEMS))
    design[np.arange(n), user] = 1
    design[np.arange(n), USERS + items.numpy() - 1] = 1
    rest = ratings.double().numpy() - ratings.double().numpy().mean()
    solution = np.linalg.solve(design.T @ design + 2.0 * np.eye(USERS + ITEMS), design.T @ rest)
    np.testing.assert_allclose(model.item_bias[1:].numpy(), solution[USERS:], atol=1e-4)
    known = dense.copy()
    known[user, items.numpy()] = ratings.numpy()
    predicted = model.scores(batch_of(known)).numpy()
    expected = ratings.double().numpy().mean() + solution[:USERS, None] + solution[None, USERS:]
    np.testing.assert_allclose(predicted[:, 1:], expected, atol=1e-4)
