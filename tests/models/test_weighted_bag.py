"""The sparse first layer equals the dense computation, in values and gradients, in float64."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.layers.dropout import drop
from models.layers.weighted_bag import _transposed_by_counting, _transposed_by_sorting, densify, weighted_bag

ITEMS, WIDTH = 11, 5


def rows(seed: int, batch: int, length: int, repeats: bool) -> tuple[Tensor, Tensor]:
    """Items and weights [B, L] in float64; some entries have weight 0."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randint(0, ITEMS, (batch, length), generator=generator)
    if not repeats:
        items = torch.stack([torch.randperm(ITEMS, generator=generator)[:length] for _ in range(batch)])
    weights = torch.randn(batch, length, generator=generator, dtype=torch.float64)
    return items, weights * (torch.rand(batch, length, generator=generator) > 0.3)


def plain_dense(items: Tensor, weights: Tensor) -> Tensor:
    """[B, V], entry by entry."""
    dense = torch.zeros(items.shape[0], ITEMS, dtype=weights.dtype)
    for row in range(items.shape[0]):
        for item, weight in zip(items[row].tolist(), weights[row].tolist(), strict=True):
            dense[row, item] += weight
    return dense


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 9), st.booleans())
def test_values_and_gradients(seed: int, batch: int, length: int, repeats: bool) -> None:
    items, weights = rows(seed, batch, length, repeats)
    table = torch.randn(ITEMS, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    sparse, dense = table.clone().requires_grad_(), table.clone().requires_grad_()
    got, expected = weighted_bag(sparse, items, weights), plain_dense(items, weights) @ dense
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    upstream = torch.randn(batch, WIDTH, dtype=torch.float64)
    got.backward(upstream)  # type: ignore[no-untyped-call]
    expected.backward(upstream)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(sparse.grad, dense.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.5, 1.0])
def test_with_norm_and_dropout_it_equals_the_dense_layer(dropout: float) -> None:
    """Norm and dropout of the sparse entries equal those of the dense row with the same mask."""
    items, weights = rows(3, 40, 7, repeats=False)
    table = torch.randn(ITEMS, WIDTH, dtype=torch.float64)
    sparse, dense = table.clone().requires_grad_(), table.clone().requires_grad_()
    normalized = F.normalize(weights, dim=1)
    dropped = drop(normalized, dropout, torch.Generator().manual_seed(5))
    got = weighted_bag(sparse, items, dropped)

    kept = drop(torch.ones_like(weights), dropout, torch.Generator().manual_seed(5))
    mask = torch.zeros(40, ITEMS, dtype=torch.float64).scatter_(1, items, kept)
    x = plain_dense(items, weights)
    x = x / x.norm(dim=1, keepdim=True).clamp_min(1e-12)
    expected = (x * mask) @ dense
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    got.square().sum().backward()  # type: ignore[no-untyped-call]
    expected.square().sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(sparse.grad, dense.grad, rtol=1e-11, atol=1e-11)


def test_dropout_keeps_the_mean() -> None:
    weights = torch.ones(400, 500)
    dropped = drop(weights, 0.3, torch.Generator().manual_seed(0))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7], rel=1e-4)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)


def test_empty_bags() -> None:
    table = torch.randn(ITEMS, WIDTH, requires_grad=True)
    got = weighted_bag(table, torch.zeros(3, 4, dtype=torch.int64), torch.zeros(3, 4))
    assert torch.equal(got, torch.zeros(3, WIDTH))
    got.sum().backward()  # type: ignore[no-untyped-call]
    assert table.grad is not None and not table.grad.any()


def test_both_ways_of_transposing_agree() -> None:
    """The CPU's method and that of other devices: the first entry of a column is of the first row."""
    starts, entries = torch.tensor([0, 3, 3, 5, 8]), torch.tensor([4, 0, 4, 2, 0, 4, 4, 1])
    assert _transposed_by_sorting(starts, entries, torch.rand(8), ITEMS)[1].tolist() == [0, 2, 3, 2, 0, 0, 3, 3]
    generator = torch.Generator().manual_seed(0)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randint(0, 60, (200,), generator=generator).cumsum(0)])
    entries = torch.randint(0, ITEMS, (int(starts[-1]),), generator=generator)
    matrix = starts, entries, torch.rand(len(entries), generator=generator), ITEMS
    counted, ordered = _transposed_by_counting(*matrix), _transposed_by_sorting(*matrix)
    for one, other in zip(counted, ordered, strict=True):
        torch.testing.assert_close(one.long() if not one.is_floating_point() else one, other, rtol=0, atol=0)


def test_densify() -> None:
    items, weights = rows(9, 6, 8, repeats=True)
    torch.testing.assert_close(densify(items, weights, ITEMS), plain_dense(items, weights))


def test_items_with_weight_0_are_never_looked_up() -> None:
    """A NaN row of the table has no effect if its weight is 0 (padding)."""
    table = torch.ones(ITEMS, WIDTH)
    table[0] = torch.nan
    got = weighted_bag(table, torch.tensor([[0, 0, 2]]), torch.tensor([[0.0, 0.0, 3.0]]))
    assert torch.equal(got, torch.full((1, WIDTH), 3.0))
