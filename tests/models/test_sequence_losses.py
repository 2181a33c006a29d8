"""Losses against plain formulas, extreme logits included."""

from __future__ import annotations

import math

import pytest
import torch

from models.losses import scalable
from models.losses.contrastive import contrastive_loss, random_partners
from models.losses.sampled import (
    bayesian_personalized_ranking,
    binary_cross_entropy,
    gbce_beta,
    sampled_softmax,
)
from models.losses.scalable import scalable_cross_entropy

DOUBLE = torch.float64


def logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)) * 3


def test_binary_cross_entropy_equals_its_formula() -> None:
    positive, negatives = logits(5), logits(5, 4)
    plain = -(torch.log(positive.sigmoid()) + torch.log(1 - negatives.sigmoid()).sum(1)) / 5
    torch.testing.assert_close(binary_cross_entropy(positive, negatives), plain)


def test_gbce_raises_the_positive_probability_to_beta() -> None:
    positive, negatives = logits(5), logits(5, 4)
    plain = -(torch.log(positive.sigmoid() ** 0.3) + torch.log(1 - negatives.sigmoid()).sum(1)) / 5
    torch.testing.assert_close(binary_cross_entropy(positive, negatives, 0.3), plain)


@pytest.mark.parametrize("negatives, items, t", [(256, 3416, 0.75), (1, 100, 0.5), (99, 100, 0.9)])
def test_gbce_beta_equals_the_papers_formula(negatives: int, items: int, t: float) -> None:
    alpha = negatives / (items - 1)
    assert gbce_beta(negatives, items, t) == pytest.approx(alpha * (t * (1 - 1 / alpha) + 1 / alpha))
    assert gbce_beta(negatives, items, 0.0) == pytest.approx(1)
    assert gbce_beta(negatives, items, 1.0) == pytest.approx(alpha)


def test_sampled_softmax_of_every_item_is_the_full_softmax() -> None:
    positive, negatives = logits(3), logits(3, 6)
    even = torch.full((3, 6), -math.log(6), dtype=DOUBLE)  # each of 6 drawn once: their sum stands for itself
    full = torch.cat([positive[:, None], negatives], 1).logsumexp(1) - positive
    torch.testing.assert_close(sampled_softmax(positive, negatives, even), full)


def test_sampled_softmax_is_an_unbiased_estimate_of_the_sum() -> None:
    scores, chance = logits(6), torch.tensor([0.05, 0.1, 0.15, 0.2, 0.25, 0.25], dtype=DOUBLE)
    drawn = torch.multinomial(chance, 200_000, True, generator=torch.Generator().manual_seed(1))[None]
    loss = sampled_softmax(torch.zeros(1, dtype=DOUBLE), scores[drawn], chance.log()[drawn])
    expected = torch.log1p(scores.exp().sum())
    assert loss.item() == pytest.approx(expected.item(), abs=0.02)


def test_bpr_equals_its_formula() -> None:
    positive, negatives = logits(5), logits(5, 3)
    plain = -torch.log((positive[:, None] - negatives).sigmoid()).mean(1)
    torch.testing.assert_close(bayesian_personalized_ranking(positive, negatives), plain)


def test_sce_with_everything_in_each_bucket_is_the_full_softmax() -> None:
    hidden, rows, bias = logits(4, 5), logits(9, 5), logits(9)
    targets = torch.tensor([3, 8, 1, 3])
    full = hidden @ rows.T + bias
    full[:, 0] = -torch.inf
    for given in (bias, None):
        loss = scalable_cross_entropy(hidden, rows, given, targets, 8, torch.Generator().manual_seed(0))
        expected = torch.nn.functional.cross_entropy(full if given is not None else full - bias, targets)
        torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("at_once", [10**9, 1])
def test_sce_equals_its_formula(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bucket, state and item at a time."""
    monkeypatch.setattr(scalable, "LOGITS", at_once)
    hidden, rows = logits(100, 5).requires_grad_(), (logits(41, 5) * 0.7).requires_grad_()
    targets = torch.arange(100) % 40 + 1
    loss = scalable_cross_entropy(hidden, rows, None, targets, 6, torch.Generator().manual_seed(3))
    buckets = 20  # 2 sqrt(100)
    mixtures = torch.randn(buckets, 100, dtype=DOUBLE, generator=torch.Generator().manual_seed(3)) @ hidden
    worst: dict[int, torch.Tensor] = {}
    for centre in mixtures:
        for state in (hidden @ centre).argsort(descending=True)[:buckets].tolist():
            items = [i + 1 for i in (rows[1:] @ centre).argsort(descending=True)[:6].tolist()]
            candidates = [int(targets[state]), *(i for i in items if i != targets[state])]
            scores = torch.stack([rows[i] @ hidden[state] for i in candidates])
            found = scores.logsumexp(0) - scores[0]
            worst[state] = max(worst.get(state, found), found)
    assert 20 < len(worst) < 100
    expected = torch.stack(list(worst.values())).mean()
    torch.testing.assert_close(loss, expected)
    for own, other in zip(
        torch.autograd.grad(loss, (hidden, rows)), torch.autograd.grad(expected, (hidden, rows)), strict=True
    ):
        torch.testing.assert_close(own, other)


def test_sce_never_exceeds_the_full_softmax() -> None:
    hidden, rows, targets = logits(50, 5), logits(201, 5), torch.randint(1, 201, (50,))
    full = hidden @ rows.T
    full[:, 0] = -torch.inf
    largest = torch.nn.functional.cross_entropy(full, targets, reduction="none").sort(descending=True).values
    previous = 0.0
    for items in (1, 20, 200):
        loss = scalable_cross_entropy(hidden, rows, None, targets, items, torch.Generator().manual_seed(0)).item()
        assert previous < loss <= largest.max()
        previous = loss


def test_the_contrastive_loss_equals_its_formula() -> None:
    first, second = logits(4, 3), logits(4, 3).flip(0)
    labels = [1, 2, 1, 3]
    views, both = torch.cat([first, second]), labels * 2
    terms = []
    for i in range(8):
        other = (i + 4) % 8
        kept = [j for j in range(8) if j == other or both[j] != both[i]]
        terms.append((views[kept] @ views[i] / 0.5).logsumexp(0) - views[i] @ views[other] / 0.5)
    torch.testing.assert_close(contrastive_loss(first, second, torch.tensor(labels), 0.5), torch.stack(terms).mean())
    assert contrastive_loss(first[:0], second[:0], torch.zeros(0).long(), 1.0) == 0


def test_partners_have_the_same_label_and_are_drawn_evenly() -> None:
    labels = torch.tensor([7, 3, 7, 5, 7, 3])
    drawn = torch.stack([random_partners(labels, torch.Generator().manual_seed(seed)) for seed in range(300)])
    assert (labels[drawn] == labels).all()
    assert (drawn[:, 3] == 3).all()  # no other has its label
    assert (drawn[:, 1] == 5).all() and (drawn[:, 5] == 1).all()
    for place, others in ((0, {2, 4}), (2, {0, 4}), (4, {0, 2})):
        counts = drawn[:, place].bincount(minlength=6)
        assert {i for i in range(6) if counts[i]} == others and counts.max() < 190


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
