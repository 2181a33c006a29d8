"""Cross-entropy of a softmax over the whole catalogue, without holding all its logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ENTRIES = 4_000_000  # logits in memory at once, about; 16 MB in float32


def softmax_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    target_weights: Tensor,
    mask_pad: bool = True,
    chunk_entries: int = CHUNK_ENTRIES,
) -> Tensor:
    """-sum over n, t of target_weights[n, t] * log softmax(hidden[n] @ weight.T + bias)[targets[n, t]], a scalar.

    The gradient is computed along with the loss, chunk by chunk of rows, so that at most about `chunk_entries` logits
    exist at a time. Values and gradients are those of the plain formula.

    Parameters
    ----------
    hidden : [N, H]
    weight, bias : [V, H], [V]
    targets : int64 [N, T]
    target_weights : [N, T], >= 0; 0 = doesn't count
    mask_pad : item 0 has no part in the softmax (then no target with a weight may be 0)
    """
    loss: Tensor = _SoftmaxCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, targets, target_weights, mask_pad, max(1, chunk_entries // weight.shape[0])
    )
    return loss


class _SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        target_weights: Tensor,
        mask_pad: bool,
        chunk_rows: int,
    ) -> Tensor:
        needs_gradient = any(ctx.needs_input_grad[:3])
        hidden_gradient = torch.empty_like(hidden) if needs_gradient else None
        weight_gradient, bias_gradient = None, None
        loss = hidden.new_zeros(())
        for first in range(0, hidden.shape[0], chunk_rows):
            rows = slice(first, first + chunk_rows)
            logits, part, total = _chunk_loss(hidden[rows], weight, bias, targets[rows], target_weights[rows], mask_pad)
            loss += part
            if hidden_gradient is None:
                continue
            # logits now holds the probabilities p. d loss / d logits = total * (p - w / total): scale the narrow sides.
            share = target_weights[rows] / total.clamp_min(torch.finfo(total.dtype).tiny)[:, None]
            logits.scatter_add_(1, targets[rows], -share)
            scaled = hidden[rows] * total[:, None]
            torch.mul(logits @ weight, total[:, None], out=hidden_gradient[rows])
            if weight_gradient is None or bias_gradient is None:
                weight_gradient, bias_gradient = logits.T @ scaled, logits.T @ total
            else:
                weight_gradient.addmm_(logits.T, scaled)
                bias_gradient.addmv_(logits.T, total)
        ctx.gradients = hidden_gradient, weight_gradient, bias_gradient
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        ctx.gradients = None
        if upstream.device.type != "cpu" or upstream.item() != 1:  # the usual 1 isn't worth a pass over the table
            gradients = tuple(None if g is None else g * upstream for g in gradients)
        return (*gradients, None, None, None, None)


def _chunk_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, target_weights: Tensor, mask_pad: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities [n, V], the chunk's loss, and each row's summed target weight [n]."""
    logits = (hidden @ weight.T).add_(bias)  # [n, V]; addmm would copy the bias into every row first
    if mask_pad:
        logits[:, 0] = -torch.inf
    total = target_weights.sum(1)
    at_targets = torch.where(target_weights > 0, logits.gather(1, targets), 0)  # [n, T]; -inf * 0 would be NaN
    highest = logits.amax(1)
    torch.softmax(logits, 1, out=logits)
    log_normalizer = highest - logits.amax(1).log()  # the highest probability is 1 / sum(exp(logits - highest))
    return logits, (total * log_normalizer).sum() - (target_weights * at_targets).sum(), total
