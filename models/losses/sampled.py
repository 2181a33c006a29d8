"""Losses against sampled negatives instead of the whole catalogue, computed from logits without overflow.

Each returns the losses [N] of N predictions, from the logits of the positive items [N] and of K negatives [N, K].
A negative with the logit -inf is ignored.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def binary_cross_entropy(positive: Tensor, negatives: Tensor, beta: float = 1.0) -> Tensor:
    """-(beta * log sigmoid(s+) + sum_k log(1 - sigmoid(s-_k))) / (1 + K): [N].

    beta 1 is SASRec's loss; `gbce_beta` makes it gBCE (Petrov & Macdonald 2023), -log(sigmoid(s+)^beta) and the rest.
    """
    return (beta * F.softplus(-positive) + F.softplus(negatives).sum(-1)) / (1 + negatives.shape[-1])


def gbce_beta(negatives: int, num_items: int, calibration: float) -> float:
    """beta = alpha * (t * (1 - 1/alpha) + 1/alpha) with alpha = negatives / (num_items - 1), the sampling rate.

    t = `calibration` 0 gives beta 1 (no correction), 1 gives beta = alpha (calibrated probabilities).
    """
    alpha = min(1.0, negatives / max(1, num_items - 1))
    return alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)


def sampled_softmax(positive: Tensor, negatives: Tensor, log_probabilities: Tensor) -> Tensor:
    """-log(exp(s+) / (exp(s+) + sum_k exp(s-_k) / (K q_k))): [N], softmax with the logQ correction.

    The sum estimates without bias that over all items which could be drawn; log_probabilities [N, K] is log q of each
    negative, one draw of it.
    """
    corrected = negatives - log_probabilities - math.log(negatives.shape[-1])
    return torch.cat([positive[:, None], corrected], 1).logsumexp(1) - positive


def bayesian_personalized_ranking(positive: Tensor, negatives: Tensor) -> Tensor:
    """-log sigmoid(s+ - s-), averaged over the negatives: [N] (BPR, Rendle et al. 2009)."""
    return F.softplus(negatives - positive[:, None]).mean(-1)
