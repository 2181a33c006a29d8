"""Densities of Gaussians and of mixtures of them, for the priors of variational autoencoders."""

import math

import torch
from torch import Tensor

LOG_2_PI = math.log(2 * math.pi)


def log_normal(z: Tensor, mu: Tensor, log_variance: Tensor) -> Tensor:
    """log N(z; mu, exp(log_variance)) of each coordinate, broadcast."""
    return -0.5 * (LOG_2_PI + log_variance + (z - mu).square() * (-log_variance).exp())


def log_mixture(z: Tensor, mu: Tensor, log_variance: Tensor) -> Tensor:
    """log of the even mixture 1/C sum_c N(z; mu_c, diag exp(log_variance_c)), by log-sum-exp: [B].

    The squared distances are expanded into two matrix products, so nothing of size B x C x K exists.

    Parameters
    ----------
    z : [B, K]
    mu, log_variance : [C, K], of the components
    """
    precision = (-log_variance).exp()  # [C, K]
    constant = (LOG_2_PI + log_variance + mu.square() * precision).sum(1)  # [C]
    distance = z.square() @ precision.T - 2 * z @ (mu * precision).T + constant  # [B, C]
    return torch.logsumexp(-0.5 * distance, dim=1) - math.log(len(mu))


def kl_between_normals(mu: Tensor, log_variance: Tensor, other_mu: Tensor, other_log_variance: Tensor) -> Tensor:
    """KL(N(mu, exp(log_variance)) || N(other_mu, exp(other_log_variance))) in nats, summed over the last dimension."""
    ratio = (log_variance - other_log_variance).exp()
    distance = (mu - other_mu).square() * (-other_log_variance).exp()
    return 0.5 * (ratio + distance - 1 - log_variance + other_log_variance).sum(-1)
