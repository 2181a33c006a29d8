"""Losses against plain formulas, extreme logits included."""

from __future__ import annotations

import math

import pytest
import torch

from models.losses.sampled import (
    bayesian_personalized_ranking,
    binary_cross_entropy,
    gbce_beta,
    sampled_softmax,
)

DOUBLE = torch.float64


def logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)) * 3


def test_binary_cross_entropy_is_its_formula() -> None:
    positive, negatives = logits(5), logits(5, 4)
    plain = -(torch.log(positive.sigmoid()) + torch.log(1 - negatives.sigmoid()).sum(1)) / 5
    torch.testing.assert_close(binary_cross_entropy(positive, negatives), plain)


def test_gbce_raises_the_positive_probability_to_beta() -> None:
    positive, negatives = logits(5), logits(5, 4)
    plain = -(torch.log(positive.sigmoid() ** 0.3) + torch.log(1 - negatives.sigmoid()).sum(1)) / 5
    torch.testing.assert_close(binary_cross_entropy(positive, negatives, 0.3), plain)


@pytest.mark.parametrize("negatives, items, t", [(256, 3416, 0.75), (1, 100, 0.5), (99, 100, 0.9)])
def test_gbce_beta_is_the_formula_of_the_paper(negatives: int, items: int, t: float) -> None:
    alpha = negatives / (items - 1)
    assert gbce_beta(negatives, items, t) == pytest.approx(alpha * (t * (1 - 1 / alpha) + 1 / alpha))
    assert gbce_beta(negatives, items, 0.0) == pytest.approx(1)
    assert gbce_beta(negatives, items, 1.0) == pytest.approx(alpha)


def test_sampled_softmax_of_every_item_is_the_full_softmax() -> None:
    positive, negatives = logits(3), logits(3, 6)
    even = torch.full((3, 6), -math.log(6), dtype=DOUBLE)  # each of 6 drawn once: their sum stands for itself
    full = torch.cat([positive[:, None], negatives], 1).logsumexp(1) - positive
    torch.testing.assert_close(sampled_softmax(positive, negatives, even), full)


def test_sampled_softmax_estimates_the_sum_over_items_without_bias() -> None:
    scores, chance = logits(6), torch.tensor([0.05, 0.1, 0.15, 0.2, 0.25, 0.25], dtype=DOUBLE)
    drawn = torch.multinomial(chance, 200_000, True, generator=torch.Generator().manual_seed(1))[None]
    loss = sampled_softmax(torch.zeros(1, dtype=DOUBLE), scores[drawn], chance.log()[drawn])
    expected = torch.log1p(scores.exp().sum())
    assert loss.item() == pytest.approx(expected.item(), abs=0.02)


def test_bpr_is_its_formula() -> None:
    positive, negatives = logits(5), logits(5, 3)
    plain = -torch.log((positive[:, None] - negatives).sigmoid()).mean(1)
    torch.testing.assert_close(bayesian_personalized_ranking(positive, negatives), plain)


def test_extreme_logits_and_absent_negatives_stay_finite() -> None:
    positive = torch.tensor([-1e4, 1e4, 0.0], requires_grad=True)
    negatives = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [-torch.inf, -torch.inf]], requires_grad=True)
    log_q = torch.zeros(3, 2)
    for loss in (
        binary_cross_entropy(positive, negatives, 0.3),
        sampled_softmax(positive, negatives, log_q),
        bayesian_personalized_ranking(positive, negatives),
    ):
        positive.grad = negatives.grad = None
        loss.sum().backward()
        assert loss.isfinite().all() and positive.grad.isfinite().all() and negatives.grad.isfinite().all()
        assert (negatives.grad[2] == 0).all()
