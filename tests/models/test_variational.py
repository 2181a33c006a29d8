"""The parts of the evidence lower bound."""

import pytest
import torch

from models.losses.variational import kl_to_standard_normal, linear_anneal, reparameterize


def test_kl_equals_torchs_and_is_never_negative() -> None:
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(200, 6, generator=generator, dtype=torch.float64) * 2
    log_variance = torch.randn(200, 6, generator=generator, dtype=torch.float64) * 2
    got = kl_to_standard_normal(mu, log_variance)
    normal = torch.distributions.Normal(mu, (log_variance / 2).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    torch.testing.assert_close(got, torch.distributions.kl_divergence(normal, standard).sum(1))
    assert got.shape == (200,) and (got >= 0).all()
    assert kl_to_standard_normal(torch.zeros(1, 6), torch.zeros(1, 6)).item() == 0


def test_kl_agrees_with_samples() -> None:
    mu, log_variance = torch.tensor([[0.7, -1.2]]), torch.tensor([[-0.8, 0.5]])
    z = reparameterize(mu.expand(400_000, 2), log_variance.expand(400_000, 2), torch.Generator().manual_seed(1))
    normal = torch.distributions.Normal(mu, (log_variance / 2).exp())
    standard = torch.distributions.Normal(0.0, 1.0)
    sampled = (normal.log_prob(z) - standard.log_prob(z)).sum(1).mean()
    assert kl_to_standard_normal(mu, log_variance).item() == pytest.approx(sampled.item(), abs=0.01)


def test_epsilon_is_a_standard_normal() -> None:
    """A well-known implementation has a standard deviation of .01."""
    mu, log_variance = torch.full((500, 400), 3.0), torch.full((500, 400), -1.0)
    z = reparameterize(mu, log_variance, torch.Generator().manual_seed(2))
    epsilon = (z - mu) / (0.5 * log_variance).exp()
    assert epsilon.mean().item() == pytest.approx(0, abs=0.01)
    assert epsilon.var().item() == pytest.approx(1, abs=0.02)
    assert (epsilon.abs() < 1).float().mean().item() == pytest.approx(0.6827, abs=0.005)


def test_reparameterize_lets_gradients_through() -> None:
    mu, log_variance = torch.zeros(3, 4, requires_grad=True), torch.zeros(3, 4, requires_grad=True)
    z = reparameterize(mu, log_variance, torch.Generator().manual_seed(3))
    z.sum().backward()  # type: ignore[no-untyped-call]
    assert mu.grad is not None and log_variance.grad is not None
    torch.testing.assert_close(mu.grad, torch.ones(3, 4))
    torch.testing.assert_close(log_variance.grad, z.detach() / 2)


def test_annealing_grows_to_its_cap_and_stays() -> None:
    weights = [linear_anneal(step, 0.2, 1000) for step in range(5000)]
    assert weights[0] == 0 and weights[100] == pytest.approx(0.1)
    assert max(weights) == 0.2 == weights[-1]
    assert weights == sorted(weights)
    assert linear_anneal(199, 0.2, 1000) < 0.2 == linear_anneal(200, 0.2, 1000) == linear_anneal(201, 0.2, 1000)
    assert linear_anneal(0, 0.2, 0) == 0.2
