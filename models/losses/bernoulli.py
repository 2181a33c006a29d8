"""The binary likelihood: every item of the catalogue was taken or not."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def bernoulli_loss(logits: Tensor, items: Tensor, weights: Tensor, counted: Tensor | None = None) -> Tensor:
    """-sum over items v of x_v log s(logit_v) + (1 - x_v) log(1 - s(logit_v)), s the logistic function: [B]. x_v is 1
    for an item that was taken, however often, else 0.

    Parameters
    ----------
    logits : [B, V + 1]; column 0 is PAD and has no part
    items : int64 [B, T], the items that were taken; PAD where `weights` is 0
    weights : [B, T], more than 0 at the items taken
    counted : [B, V + 1], how much each item counts (None: all alike); 1 for those taken
    """
    normalizer = F.softplus(logits[:, 1:])  # -log(1 - s)
    if counted is not None:
        normalizer = normalizer * counted[:, 1:]
    return normalizer.sum(1) - ((weights > 0) * logits.gather(1, items)).sum(1)
