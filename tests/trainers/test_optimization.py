"""Optimizers, clipping and the learning rate, against torch's own."""

from typing import Any

import pytest
import torch
from torch import nn

from trainers.optimization import clip_gradients, learning_rate, make_optimizer
from trainers.options import GenericTrainerOptions, TransferTrainerOptions


def options(**values: Any) -> GenericTrainerOptions:
    return GenericTrainerOptions.model_validate(values)


def parameters(scale: float) -> list[nn.Parameter]:
    """Three parameters with gradients, one without."""
    made = [nn.Parameter(torch.zeros(shape)) for shape in ((4, 3), (5,), (2, 2), (7,))]
    generator = torch.Generator().manual_seed(1)
    for parameter in made[:-1]:
        parameter.grad = torch.randn(parameter.shape, generator=generator) * scale
    return made


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("max_norm", [0.5, 5.0])
def test_clipping_equals_torchs(scale: float, max_norm: float) -> None:
    ours, theirs = parameters(scale), parameters(scale)
    norm = clip_gradients(ours, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(norm, expected)
    for own, other in zip(ours[:-1], theirs[:-1], strict=True):
        # torch multiplies by min(1, max_norm / (norm + 1e-6)); here gradients within the norm stay as they are
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-5, atol=0)
    assert ours[-1].grad is None


def test_clipping_keeps_the_direction_and_bounds_the_norm() -> None:
    made = parameters(1e3)
    before = torch.cat([p.grad.flatten() for p in made[:-1] if p.grad is not None])
    clip_gradients(made, 2.0)
    after = torch.cat([p.grad.flatten() for p in made[:-1] if p.grad is not None])
    assert after.norm() <= 2.0 * (1 + 1e-6)  # up to rounding
    torch.testing.assert_close(after / after.norm(), before / before.norm())


@pytest.mark.parametrize(("decay_step", "gamma"), [(None, 0.5), (1, 0.9), (16, 0.9), (3, 1.0)])
def test_the_learning_rate_equals_steplr(decay_step: int | None, gamma: float) -> None:
    given = options(lr=5e-3, decay_step=decay_step, gamma=gamma)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=5e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, decay_step or 10**9, gamma)
    for epoch in range(50):
        assert learning_rate(given, epoch) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        ("adam", lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.98), weight_decay=0.02)),
        ("adamw", lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.98), weight_decay=0.02)),
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.02, momentum=0.5)),
    ],
)
def test_fused_optimizers_equal_the_plain_ones(kind: str, plain: Any) -> None:
    ours, theirs = nn.Parameter(torch.linspace(-1, 1, 40)), nn.Parameter(torch.linspace(-1, 1, 40))
    momentum = 0.5 if kind == "sgd" else 0.0
    given = options(optimizer=kind, lr=0.1, adam_beta2=0.98, weight_decay=0.02, momentum=momentum)
    fused, slow = make_optimizer([ours], given), plain([theirs])
    assert all(group["fused"] for group in fused.param_groups)
    assert type(fused) is type(slow)
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        gradient = torch.randn(40, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        fused.step()
        slow.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_options_without_effect_are_refused() -> None:
    with pytest.raises(ValueError, match=r"momentum .0.9. is an option of optimizer sgd, not of adamw"):
        options(optimizer="adamw", momentum=0.9)
    with pytest.raises(ValueError, match="decrease_dropout"):
        TransferTrainerOptions.model_validate({"train_transfer": False, "decrease_dropout": True})
