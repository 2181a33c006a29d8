"""Scalable cross-entropy (Mezentsev et al. 2024): a softmax over the items whose logits are likely large."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.layers.chunks import by_rows

LOGITS = 8_000_000  # in memory at once, about


def scalable_cross_entropy(
    hidden: Tensor, rows: Tensor, bias: Tensor | None, targets: Tensor, bucket_items: int, generator: torch.Generator
) -> Tensor:
    """The mean of log(exp s+ + sum over a bucket of exp s-) - s+ over the states that are in a bucket, a scalar.

    There are 2 sqrt(N) buckets, each around a random mixture of the states. A bucket has the 2 sqrt(N) states and the
    `bucket_items` items whose products with its mixture are the largest, so that its logits are the large ones. A state
    in several buckets counts once, with its largest loss.

    Parameters
    ----------
    hidden : [N, H], states
    rows, bias : [V + 1, H] and [V + 1] (None counts as 0); row 0 is PAD, which is in no bucket
    targets : int64 [N], 1..V
    generator : of the random mixtures
    """
    count = hidden.shape[0]
    buckets = min(count, round(2 * math.sqrt(count)))
    positive = (hidden * rows[targets]).sum(1) + (0 if bias is None else bias[targets])  # [N]
    with torch.no_grad():
        weights = torch.randn(buckets, count, generator=generator, device=hidden.device, dtype=hidden.dtype)
        centres = weights @ hidden  # [buckets, H]
        states = (centres @ hidden.T).topk(buckets, 1, sorted=False).indices  # [buckets, n]
        most = min(bucket_items, rows.shape[0] - 1)
        items = (centres @ rows[1:].T).topk(most, 1, sorted=False).indices + 1  # [buckets, m]

    def losses(states: Tensor, items: Tensor) -> Tensor:
        """Of some buckets: [buckets, n]"""
        logits = hidden[states] @ rows[items].transpose(1, 2)  # [buckets, n, m]
        if bias is not None:
            logits = logits + bias[items][:, None]
        logits = logits.masked_fill(targets[states][:, :, None] == items[:, None], -torch.inf)
        own = positive[states]
        return torch.logaddexp(logits.logsumexp(2), own) - own

    found = by_rows(losses, max(1, LOGITS // (buckets * most)), states, items)
    largest = found.new_zeros(count).scatter_reduce(0, states.flatten(), found.flatten(), "amax", include_self=False)
    used = torch.zeros(count, dtype=torch.bool, device=hidden.device).index_fill(0, states.flatten(), True)
    return largest.sum() / used.sum()
