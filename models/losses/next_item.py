"""The losses of next-item models, each a function of a batch's predictions. `LOSSES` registers them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from models.layers.chunks import by_rows
from models.layers.embedding import ItemEmbedding
from models.layers.padding import pick_rows
from models.losses.sampled import binary_cross_entropy, gbce_beta, sampled_softmax
from models.losses.scalable import scalable_cross_entropy
from models.losses.softmax import softmax_cross_entropy

NEGATIVE_ENTRIES = 8_000_000  # values of negatives' embeddings in memory at once, about


class LossOptions(Protocol):
    """The options that losses read."""

    @property
    def gbce_t(self) -> float:
        """Calibration of gbce."""

    @property
    def logit_offset(self) -> float | Literal["auto"]:
        """Constant added to every logit."""

    @property
    def sce_bucket_items(self) -> int:
        """Items in a bucket of sce."""


@dataclass(frozen=True)
class Predictions:
    """The hidden states of a batch, and what they are to predict. Sequences are left-aligned.

    Attributes
    ----------
    hidden : [B, L, H], the states, as they meet the rows of the item embeddings
    targets : int64 [B, L], the items that follow; PAD where there is none
    items : the item embeddings, with PAD
    negatives : int64 [B, L, K], [B, 1, K] shared by a window, or [1, 1, K] shared by the batch; PAD where none is left;
        None if none are drawn
    negative_log_q : of the shape of negatives: log of the probability of drawing it
    generator : for the random draws of a loss
    """

    hidden: Tensor
    targets: Tensor
    items: ItemEmbedding
    negatives: Tensor | None = None
    negative_log_q: Tensor | None = None
    generator: torch.Generator | None = None

    def sampled(self) -> SampledLogits:
        """The logits of the N targets and of their negatives."""
        assert self.negatives is not None and self.negative_log_q is not None
        hidden, used, items = self.hidden, self.targets > 0, self.items  # [B, L, H], [B, L]
        targets = self.targets[used]
        positive = (hidden[used] * items.output_rows(targets)).sum(-1)  # [N]
        if self.negatives.shape[:2] == (1, 1):  # shared by the batch, and perhaps a target of some rows
            shared = self.negatives[0, 0]  # [K]
            logits = hidden[used] @ items.output_rows(shared).T  # [N, H] x [H, K]
            negatives = shared.masked_fill(targets[:, None] == shared, 0)  # [N, K]
            log_q = self.negative_log_q[0].expand_as(logits)
        elif self.negatives.shape[1] == 1:  # shared by a window: [B, L, H] x [B, H, K]
            negatives = self.negatives.expand(-1, hidden.shape[1], -1)[used]  # [N, K]
            logits = torch.bmm(hidden, items.output_rows(self.negatives.squeeze(1)).transpose(1, 2))[used]  # [N, K]
            log_q = self.negative_log_q.expand(-1, hidden.shape[1], -1)[used]
        else:
            negatives, log_q = self.negatives[used], self.negative_log_q[used]  # [N, K]
            rows = max(1, NEGATIVE_ENTRIES // (negatives.shape[1] * hidden.shape[2]))
            logits = by_rows(self._negative_logits, rows, hidden[used], negatives)
        if items.bias is not None:
            positive, logits = positive + items.bias[targets], logits + items.bias[negatives]
        logits = logits.masked_fill(negatives == 0, -torch.inf)
        return SampledLogits(positive, logits, log_q.to(logits.dtype), items.num_items)

    def _negative_logits(self, hidden: Tensor, negatives: Tensor) -> Tensor:
        """hidden [N, H] times its negatives, int64 [N, K]: [N, K]"""
        return torch.bmm(self.items.output_rows(negatives), hidden[:, :, None]).squeeze(2)  # [N, K, H] x [N, H, 1]


@dataclass(frozen=True)
class SampledLogits:
    """Logits of N targets and of K negatives each.

    Attributes
    ----------
    positive : [N]
    negatives : [N, K]; -inf where a negative doesn't count
    log_q : [N, K], log of the probability of drawing the negative
    num_items : the size of the catalogue that negatives are drawn from
    """

    positive: Tensor
    negatives: Tensor
    log_q: Tensor
    num_items: int


@dataclass(frozen=True)
class NextItemLoss:
    """A loss as the registry knows it.

    Attributes
    ----------
    function : the mean loss of a batch's predictions, a scalar
    description : its part of the help of option `loss`
    needs_negatives : the dataloader must draw negatives; if False, it must draw none
    reads : the options, beside `loss` itself, that have an effect on it
    """

    function: Callable[[Predictions, LossOptions], Tensor]
    description: str
    needs_negatives: bool = True
    reads: frozenset[str] = frozenset()


def cross_entropy_loss(predictions: Predictions, options: LossOptions) -> Tensor:
    """Softmax over the whole catalogue."""
    rows, places, weights = pick_rows(predictions.hidden, predictions.targets > 0)
    targets = predictions.targets.flatten()[places][:, None]  # [N, 1]
    weights = (weights / weights.sum())[:, None]  # [N, 1]
    return softmax_cross_entropy(rows, predictions.items.output_rows(), predictions.items.bias, targets, weights)


def scalable_cross_entropy_loss(predictions: Predictions, options: LossOptions) -> Tensor:
    """Softmax over the items of random buckets, in which logits are large (SCE)."""
    used, items = predictions.targets > 0, predictions.items
    assert predictions.generator is not None
    return scalable_cross_entropy(
        predictions.hidden[used],
        items.output_rows(),
        items.bias,
        predictions.targets[used],
        options.sce_bucket_items,
        predictions.generator,
    )


def bce_loss(predictions: Predictions, options: LossOptions) -> Tensor:
    """Binary cross-entropy of the target and its negatives (SASRec)."""
    return _offset_binary_cross_entropy(predictions.sampled(), 1.0, options.logit_offset)


def gbce_loss(predictions: Predictions, options: LossOptions) -> Tensor:
    """Generalised binary cross-entropy (gSASRec), calibrated by gbce_t."""
    logits = predictions.sampled()
    beta = gbce_beta(logits.negatives.shape[1], logits.num_items, options.gbce_t)
    return _offset_binary_cross_entropy(logits, beta, options.logit_offset)


def sampled_softmax_loss(predictions: Predictions, options: LossOptions) -> Tensor:
    """Softmax over the target and its negatives, with the logQ correction."""
    logits = predictions.sampled()
    return sampled_softmax(logits.positive, logits.negatives, logits.log_q).mean()


def _offset_binary_cross_entropy(logits: SampledLogits, beta: float, offset: float | Literal["auto"]) -> Tensor:
    if isinstance(offset, str):  # auto
        offset = math.log(beta / logits.negatives.shape[1])
    return binary_cross_entropy(logits.positive + offset, logits.negatives + offset, beta).mean()
