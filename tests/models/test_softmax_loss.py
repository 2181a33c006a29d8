"""The chunked cross-entropy equals the plain formula, in values and gradients, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_counting import LargestResult

from common import rounding
from models.losses.softmax import softmax_cross_entropy

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def inputs(seed: int, batch: int, targets: int, items: int, first: int) -> Inputs:
    """hidden, weight, bias, targets and their weights; targets from `first` on, where a weight is 0 also PAD."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weights = torch.rand(batch, targets, generator=generator, dtype=torch.float64)
    weights = weights * (torch.rand(batch, targets, generator=generator) > 0.3)
    chosen = torch.randint(first, items, (batch, targets), generator=generator)
    return normal(batch, 3), normal(items, 3), normal(items), torch.where(weights > 0, chosen, 0), weights


def plain(given: Inputs, mask_pad: bool) -> Tensor:
    """-sum of weight * log softmax at the target."""
    hidden, weight, bias, targets, target_weights = given
    logits = hidden @ weight.T + bias
    if mask_pad:
        logits = torch.cat([torch.full_like(logits[:, :1], -torch.inf), logits[:, 1:]], 1)
    chosen = torch.log_softmax(logits, 1).gather(1, targets)
    return -torch.where(target_weights > 0, target_weights * chosen, 0).sum()


def graded(loss: Tensor, leaves: Inputs) -> list[Tensor]:
    """The loss and its gradients."""
    return [loss.detach(), *torch.autograd.grad(loss, leaves[:3])]


def leaves_of(given: Inputs) -> Inputs:
    hidden, weight, bias, targets, target_weights = given
    return (
        hidden.clone().requires_grad_(),
        weight.clone().requires_grad_(),
        bias.clone().requires_grad_(),
        targets,
        target_weights,
    )


@settings(deadline=None, max_examples=80)
@given(
    st.integers(0, 2**31),
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(2, 12),
    st.booleans(),
    st.sampled_from([1, 25, 10**6]),
)
def test_values_and_gradients(
    seed: int, batch: int, targets: int, items: int, mask_pad: bool, chunk_entries: int
) -> None:
    given_inputs = inputs(seed, batch, targets, items, 1 if mask_pad else 0)
    ours, theirs = leaves_of(given_inputs), leaves_of(given_inputs)
    got = graded(softmax_cross_entropy(*ours, mask_pad=mask_pad, chunk_entries=chunk_entries), ours)
    expected = graded(plain(theirs, mask_pad), theirs)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_scaled_loss_has_scaled_gradients() -> None:
    """The gradient is computed in the forward pass, and must still be scaled by the gradient from above."""
    given_inputs = inputs(1, 5, 2, 9, 1)
    ours, theirs = leaves_of(given_inputs), leaves_of(given_inputs)
    got = graded(softmax_cross_entropy(*ours) * -2.5, ours)
    expected = graded(plain(theirs, True) * -2.5, theirs)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_pad_is_ignored() -> None:
    given_inputs = inputs(2, 4, 2, 8, 1)
    ours = leaves_of(given_inputs)
    before, _, weight_gradient, bias_gradient = graded(softmax_cross_entropy(*ours), ours)
    assert not weight_gradient[0].any() and bias_gradient[0] == 0
    given_inputs[2][0] = 1e3  # PAD's bias
    assert softmax_cross_entropy(*given_inputs) == before
    assert softmax_cross_entropy(*given_inputs, mask_pad=False) > before


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits(size: float, dtype: torch.dtype) -> None:
    """One logit far above or below the others: loss and gradients stay finite and right."""
    hidden = torch.tensor([[1.0], [-1.0]], dtype=dtype, requires_grad=True)
    weight = torch.tensor([[0.0], [size], [0.0], [-size / 2]], dtype=dtype, requires_grad=True)
    bias = torch.zeros(4, dtype=dtype, requires_grad=True)
    targets, weights = torch.tensor([[1, 3], [1, 2]]), torch.tensor([[1.0, 0.5], [2.0, 0.0]], dtype=dtype)
    leaves = hidden, weight, bias, targets, weights
    got, expected = graded(softmax_cross_entropy(*leaves), leaves), graded(plain(leaves, True), leaves)
    for one, other in zip(got, expected, strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other)


def test_no_targets_give_zero_gradients() -> None:
    hidden, weight, bias, targets, weights = inputs(3, 4, 2, 8, 1)
    leaves = leaves_of((hidden, weight, bias, torch.zeros_like(targets), torch.zeros_like(weights)))
    loss, *gradients = graded(softmax_cross_entropy(*leaves), leaves)
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients)


def test_no_rows_give_zero_gradients() -> None:
    hidden, weight, bias, targets, weights = inputs(3, 4, 2, 8, 1)
    leaves = leaves_of((hidden[:0], weight, bias, targets[:0], weights[:0]))
    loss, *gradients = graded(softmax_cross_entropy(*leaves), leaves)
    assert loss == 0
    assert [gradient.shape for gradient in gradients] == [leaf.shape for leaf in leaves[:3]]
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("offset", [-150.0, -45.0, -35.0, 0.0, 35.0, 45.0, 150.0])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_logits_far_from_0_in_float32(offset: float, scale: float) -> None:
    """On both sides of the limit for exponentials without a shift, for all rows or for one."""
    hidden, weight, bias, targets, weights = inputs(6, 20, 3, 50, 1)
    hidden[0] *= scale
    double = leaves_of((hidden, weight, bias + offset, targets, weights))
    single = leaves_of((hidden.float(), weight.float(), (bias + offset).float(), targets, weights.float()))
    expected = graded(plain(double, True), double)
    got = graded(softmax_cross_entropy(*single), single)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


def test_the_value_is_the_same_without_gradients() -> None:
    given_inputs = inputs(4, 6, 2, 9, 1)
    with torch.no_grad():
        value = softmax_cross_entropy(*given_inputs)
    assert value == softmax_cross_entropy(*leaves_of(given_inputs)).detach()


@pytest.mark.parametrize("safe", [True, False])
def test_the_logits_of_all_rows_are_never_in_memory_at_once(safe: bool) -> None:
    rows, items, chunk = 700, 600, 6000
    hidden, weight, bias, targets, weights = inputs(5, rows, 1, items, 1)
    leaves = leaves_of((hidden * (0.1 if safe else 30), weight, bias, targets, weights))
    with LargestResult() as seen:
        softmax_cross_entropy(*leaves, chunk_entries=chunk).backward()
    assert chunk / 2 < seen.entries <= chunk < rows * items


def test_a_second_backward_pass_is_refused() -> None:
    loss = softmax_cross_entropy(*leaves_of(inputs(5, 4, 1, 9, 1)))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward pass"):
        loss.backward()


@pytest.mark.parametrize("chunk_entries", [None, 40 * 70])
def test_rounding_to_bfloat16_changes_little(monkeypatch: pytest.MonkeyPatch, chunk_entries: int | None) -> None:
    """With inputs rounded to bfloat16, results are float32 and differ by that rounding; float64 is never rounded."""
    generator = torch.Generator().manual_seed(3)
    hidden, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((100, 16), (70, 16), (70,)))
    targets = torch.randint(1, 70, (100, 5), generator=generator)
    given_inputs = hidden, weight, bias, targets, torch.rand(100, 5, generator=generator)
    exact = leaves_of(given_inputs)
    expected = graded(softmax_cross_entropy(*exact), exact)
    monkeypatch.setattr(rounding, "by_hand", True)
    ours = leaves_of(given_inputs)
    got = graded(softmax_cross_entropy(*ours, chunk_entries=chunk_entries), ours)
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == torch.float32
        assert 0 < (one - other).norm() / other.norm() < 2e-2
    assert not torch.equal(got[1], expected[1])
    double = torch.ones(2, 2, dtype=torch.float64)
    assert rounding.rounded(double) is double
