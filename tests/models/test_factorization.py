"""BPR-MF, FPMC and LightGCN against their formulas."""

import numpy as np
import pytest
import torch

from dataloaders.batch import Batch
from models import MODELS, Dimensions, Model

USERS, ITEMS, WIDTH = 4, 7, 3


def build(code: str) -> Model:
    torch.manual_seed(3)
    kind = MODELS[code]
    return kind(kind.Options(hidden_units=WIDTH), Dimensions(ITEMS, USERS, 5))


BATCH = Batch(
    users=torch.tensor([2, 0, 3]),
    items=torch.tensor([[1, 4], [0, 7], [0, 0]]),
    targets=torch.tensor([[5], [1], [2]]),
    negatives=torch.tensor([[[6]], [[3]], [[1]]]),
)


def expected(code: str, model: Model) -> np.ndarray:
    """Score of each item for each row, by loops."""
    users, items = model.users.weight.detach().numpy(), model.items.weight.detach().numpy()
    total = np.zeros((3, ITEMS + 1))
    for row, (user, last) in enumerate(zip(BATCH.users.tolist(), BATCH.items[:, -1].tolist(), strict=True)):
        for item in range(ITEMS + 1):
            total[row, item] = users[user] @ items[item, :WIDTH]
            if code == "fpmc":
                total[row, item] += model.last.weight.detach().numpy()[last] @ items[item, WIDTH:]
    return total


@pytest.mark.parametrize("code", ["bpr_mf", "fpmc"])
def test_scores_are_sums_of_products(code: str) -> None:
    model = build(code)
    np.testing.assert_allclose(model.scores(BATCH).detach().numpy(), expected(code, model), atol=1e-6)


@pytest.mark.parametrize("code", ["bpr_mf", "fpmc"])
def test_the_loss_ranks_the_target_above_the_negative(code: str) -> None:
    model = build(code)
    scores = expected(code, model)
    difference = scores[range(3), [5, 1, 2]] - scores[range(3), [6, 3, 1]]
    loss, _ = model.loss(BATCH, 0, torch.Generator())
    assert loss.item() == pytest.approx(np.log1p(np.exp(-difference)).mean(), abs=1e-6)


def test_lightgcn_averages_over_neighbours() -> None:
    """With the dense normalised adjacency matrix of users and items, as the paper has it."""
    torch.manual_seed(1)
    kind = MODELS["lightgcn"]
    model = kind(kind.Options(hidden_units=WIDTH, num_layers=2, l2=0.3), Dimensions(ITEMS, USERS, 5))
    histories = [[1, 4, 4], [2], [1, 7, 6, 2], []]
    flat = torch.tensor([item for history in histories for item in history])
    model.read_training(flat, torch.tensor([0, 3, 4, 8, 8]))
    size = USERS + ITEMS + 1
    adjacency = np.zeros((size, size))
    for user, history in enumerate(histories):
        for item in history:
            adjacency[user, USERS + item] = adjacency[USERS + item, user] = 1
    scale = np.diag(np.maximum(adjacency.sum(1), 1) ** -0.5)
    first = torch.cat([model.users.weight, model.items.weight]).detach().numpy()
    layers = [first]
    for _ in range(2):
        layers.append(scale @ adjacency @ scale @ layers[-1])
    means = np.mean(layers, 0)
    users = BATCH.users.numpy()
    with torch.no_grad():
        scores = model.scores(BATCH).numpy()
        np.testing.assert_allclose(scores, means[users] @ means[USERS:].T, atol=1e-6)
        loss, _ = model.loss(BATCH, 0, torch.Generator())
    difference = scores[range(3), [5, 1, 2]] - scores[range(3), [6, 3, 1]]
    items = first[USERS:]
    squares = (first[users] ** 2).sum() + sum((items[pair] ** 2).sum() for pair in ([5, 6], [1, 3], [2, 1]))
    assert loss.item() == pytest.approx(np.log1p(np.exp(-difference)).mean() + 0.3 * squares / 6, abs=1e-6)


def test_lightgcn_s_gradient_is_that_of_the_dense_product() -> None:
    torch.manual_seed(2)
    kind = MODELS["lightgcn"]
    model = kind(kind.Options(hidden_units=WIDTH, num_layers=2), Dimensions(ITEMS, USERS, 5))
    model.read_training(torch.tensor([1, 4, 2, 1, 7]), torch.tensor([0, 2, 3, 5, 5]))
    users, items = model.propagated()
    (users.square().sum() + items.sum() ** 3).backward()
    graph = model.graph[0].to_dense()
    x, y = (table.detach().clone().requires_grad_() for table in (model.users.weight, model.items.weight))
    first = graph @ y, graph.T @ x
    second = graph @ first[1], graph.T @ first[0]
    wanted = (x + first[0] + second[0]) / 3, (y + first[1] + second[1]) / 3
    (wanted[0].square().sum() + wanted[1].sum() ** 3).backward()
    torch.testing.assert_close(model.users.weight.grad, x.grad)
    torch.testing.assert_close(model.items.weight.grad, y.grad)
