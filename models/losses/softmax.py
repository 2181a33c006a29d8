"""Cross-entropy of a softmax over the whole catalogue, without holding all its logits."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from common.rounding import rounded

CHUNK_ENTRIES = 1_000_000  # logits in memory at once, about: 4 MB in float32, so that they stay in the CPU's cache
LONG = 8  # with this many times more rows than hidden units, copying the table into another order pays off
BITS = 1 / math.log(2)  # of a nat: logits are in bits here, for torch takes 2 ** x much faster than e ** x on some CPUs
SAFE_BITS = 60.0  # 2 ** it, summed over any catalogue, is far from float32's limits, and so is its inverse


def softmax_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    target_weights: Tensor,
    mask_pad: bool = True,
    chunk_entries: int | None = None,
) -> Tensor:
    """-sum over n, t of target_weights[n, t] * log softmax(hidden[n] @ weight.T + bias)[targets[n, t]], a scalar.

    The gradient is computed along with the loss, chunk by chunk of rows, so that at most about `chunk_entries` logits
    exist at a time; None = 1,000,000, or the number of entries of `weight` if that is larger. Values and
    gradients are those of the plain formula.

    Parameters
    ----------
    hidden : [N, H]
    weight, bias : [V, H], [V]; bias None counts as 0
    targets : int64 [N, T]
    target_weights : [N, T], >= 0; 0 = ignored
    mask_pad : item 0 is left out of the softmax (then no target with a weight may be 0)
    """
    entries = max(CHUNK_ENTRIES, weight.numel()) if chunk_entries is None else chunk_entries
    chunk_rows = 1 << max(0, (entries // weight.shape[0]).bit_length() - 1)  # a power of two divides most N evenly
    loss: Tensor = _SoftmaxCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, targets, target_weights, mask_pad, chunk_rows, torch.is_grad_enabled()
    )
    return loss


class _SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        target_weights: Tensor,
        mask_pad: bool,
        chunk_rows: int,
        grad_enabled: bool,
    ) -> Tensor:
        table = rounded(weight)
        columns = table.T  # [H, V]
        if hidden.shape[0] > LONG * hidden.shape[1]:
            columns = columns.contiguous()  # the products are faster in this order, and so is their gradient's
        needs_gradient = grad_enabled and any(ctx.needs_input_grad[:3])
        hidden_gradient = torch.empty_like(hidden) if needs_gradient else None
        column_gradient = torch.empty_like(columns, dtype=weight.dtype) if needs_gradient else None  # in the same order
        bias_gradient = None if bias is None or not needs_gradient else torch.zeros_like(bias)
        bias_bits = None if bias is None else bias * BITS
        # fresh memory costs a product's time
        buffer = hidden.new_empty(min(chunk_rows, hidden.shape[0]), weight.shape[0])
        loss = hidden.new_zeros(())
        for first in range(0, max(1, hidden.shape[0]), chunk_rows):
            rows = slice(first, first + chunk_rows)
            chosen, shares = targets[rows], target_weights[rows]
            logits = _product(rounded(hidden[rows] * BITS), columns, buffer[: len(chosen)])
            exps, normalizer, at_targets = _exponentials(logits, bias_bits, chosen, mask_pad)
            loss += (shares * (normalizer.log2()[:, None] - at_targets)).sum()
            if hidden_gradient is None or column_gradient is None:
                continue
            # d loss / d logits = total * (exps / normalizer - share / total): the factors of a row go to narrow sides.
            total = shares.sum(1)
            factor = (total / normalizer)[:, None]  # [n, 1]
            exps.scatter_add_(1, chosen, shares * torch.where(total > 0, -normalizer / total, 0)[:, None])
            if bias_gradient is not None:
                bias_gradient += (factor.T @ exps)[0]
            exps = rounded(exps)
            torch.mul(exps @ table, factor, out=hidden_gradient[rows])
            _add_product(column_gradient, rounded(hidden[rows] * factor).T, exps, is_zero=first == 0)
        ctx.gradients = hidden_gradient, None if column_gradient is None else column_gradient.T, bias_gradient
        return loss / BITS

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        if gradients is None:
            raise RuntimeError(
                "softmax_cross_entropy keeps its gradients for one backward pass, and this is the second"
            )
        ctx.gradients = None
        if upstream.device.type != "cpu" or upstream.item() != 1:  # 1 isn't worth a pass over the table
            gradients = tuple(None if g is None else g * upstream for g in gradients)
        return (*gradients, None, None, None, None, None)


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """left @ right, written to `out`, which may have a wider type than the factors."""
    if out.dtype == left.dtype:
        return torch.mm(left, right, out=out)
    return out.copy_(left @ right)


def _add_product(sums: Tensor, left: Tensor, right: Tensor, is_zero: bool) -> None:
    """sums += left @ right; adding to zeros takes time, too, which `is_zero` saves."""
    if sums.dtype == left.dtype:
        sums.addmm_(left, right, beta=0 if is_zero else 1)
    elif is_zero:
        sums.copy_(left @ right)
    else:
        sums += left @ right


def _exponentials(logits: Tensor, bias: Tensor | None, chosen: Tensor, mask_pad: bool) -> tuple[Tensor, Tensor, Tensor]:
    """2 ** logits [n, V] up to a factor for each row, in place; their sums [n]; the logits of the items `chosen`
    [n, T], up to the factor's logarithm. Logits and bias are in bits."""
    if bias is not None:
        logits += bias
    at_targets = logits.gather(1, chosen)  # before PAD is masked: its weight is 0, and 0 times infinity isn't
    if mask_pad:
        logits[:, 0] = -torch.inf
    largest = logits.amax(1, keepdim=True)
    # a shift costs a pass over the logits; to know whether it is needed, CUDA would have to wait
    if logits.device.type != "cpu" or not (largest.abs() <= SAFE_BITS).all():
        logits -= largest
        at_targets -= largest
    exps = logits.exp2_()
    return exps, exps.sum(1), at_targets
