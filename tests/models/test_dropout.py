"""The fast dropout: its rate, its mean, and gradients of kept entries only."""

import pytest
import torch

from models.layers.dropout import Dropout, drop


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(1_000, 101), (7, 3, 4_801)])
def test_share_and_scale(p: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.ones(shape, requires_grad=True)
    dropped = drop(x, p)
    kept = dropped > 0
    assert abs(kept.double().mean() - (1 - p)) < 5 * (p * (1 - p) / x.numel()) ** 0.5
    assert torch.allclose(dropped[kept], torch.tensor(1 / (1 - p)), rtol=2e-4)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())


def test_entries_are_independent() -> None:
    """Four neighbours share one 64-bit random number, and are still kept independently."""
    torch.manual_seed(1)
    kept = (drop(torch.ones(100_000, 4), 0.3) > 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert correlation.abs().max() < 0.02


def test_shares_of_0_and_nearly_1() -> None:
    x = torch.randn(50, 3)
    assert drop(x, 0.0) is x or torch.equal(drop(x, 0.0), x)
    assert torch.isfinite(drop(x, 0.9999999)).all()
    assert drop(torch.empty(0, 5), 0.5).shape == (0, 5)


def test_the_layer_drops_in_training_only_and_follows_the_seed() -> None:
    layer, x = Dropout(0.4), torch.ones(10, 7, dtype=torch.float64)
    assert layer.eval()(x) is x
    layer.train()
    torch.manual_seed(2)
    first = layer(x)
    torch.manual_seed(2)
    assert torch.equal(first, layer(x)) and first.dtype == torch.float64
    assert not torch.equal(first, layer(x))


def test_all_may_be_dropped() -> None:
    assert not drop(torch.ones(200_000), 1.0).any()
