"""BPR-MF and FPMC against their formulas."""

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
