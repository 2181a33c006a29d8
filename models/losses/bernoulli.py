"""The binary likelihood: every item of the catalogue was consumed or not."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def bernoulli_loss(logits: Tensor, items: Tensor, weights: Tensor, counted: Tensor | None = None) -> Tensor:
    """-sum over items v of x_v log s(logit_v) + (1 - x_v) log(1 - s(logit_v)), s the logistic function: [B]. x_v is 1
    for a consumed item, however often, else 0.

    Parameters
    ----------
    logits : [B, V + 1]; column 0 (PAD) is ignored
    items : int64 [B, T], the consumed items; PAD where `weights` is 0
    weights : [B, T], more than 0 at the consumed items
    counted : [B, V + 1], the weight of each item (None: all 1); 1 for consumed items
    """
    normalizer = F.softplus(logits[:, 1:])  # -log(1 - s)
    if counted is not None:
        normalizer = normalizer * counted[:, 1:]
    return normalizer.sum(1) - ((weights > 0) * logits.gather(1, items)).sum(1)
