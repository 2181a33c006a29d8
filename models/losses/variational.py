"""The parts of an evidence lower bound."""

import torch
from torch import Tensor


def reparameterize(mu: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """A draw z = mu + epsilon * sigma with epsilon ~ N(0, I) (Kingma & Welling 2014)."""
    epsilon = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + epsilon * (0.5 * log_variance).exp()


def kl_to_standard_normal(mu: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, I)) in nats, summed over the last dimension: [B, K] -> [B]."""
    return 0.5 * (mu.square() + log_variance.exp() - 1 - log_variance).sum(-1)


def linear_anneal(step: int, cap: float, total_steps: int) -> float:
    """The weight of the KL term: it grows by 1 / total_steps a step and stays at `cap`; always `cap` if total is 0."""
    return cap if total_steps <= 0 else min(cap, step / total_steps)
