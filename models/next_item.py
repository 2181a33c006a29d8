"""What the models that predict the next item at every position share: their losses and their scores."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from common.errors import UserError
from common.schema import Options
from models.base import Dimensions, Model
from models.layers.chunks import by_rows
from models.layers.embedding import ItemEmbedding, Origin
from models.layers.padding import align_left, at_last, pick_rows
from models.losses.sampled import binary_cross_entropy, gbce_beta, sampled_softmax
from models.losses.softmax import softmax_cross_entropy

if TYPE_CHECKING:
    from dataloaders.batch import Batch

GBCE_T = 0.75
NEGATIVE_ENTRIES = 8_000_000  # values of negatives' embeddings in memory at once, about


class NextItemOptions(Options):
    """Options of the losses of next-item models."""

    hidden_units: int = Field(64, ge=1, description="width of the item embeddings and hidden states")
    loss: Literal["bce", "ce", "gbce", "sampled_ce"] = Field(
        "ce",
        description="bce = binary cross-entropy with sampled negatives; ce = softmax over all items; gbce = bce "
        "corrected for the sampling (gSASRec); sampled_ce = softmax over sampled negatives, with logQ correction",
    )
    gbce_t: float = Field(GBCE_T, ge=0, le=1, description="calibration t of gbce: 0 = as bce, 1 = calibrated")
    logit_offset: float | Literal["auto"] = Field(
        0.0,
        description="constant that losses bce and gbce add to every logit; auto = log(beta / negatives) (beta is 1 for "
        "bce) spares training the way to small probabilities, which makes all items alike; ranks don't see it",
    )


class PlacedOptions(NextItemOptions):
    """The same, for models that know positions."""

    positions_from: Origin = Field(
        "end",
        description="where positions are counted from: start tells how many items went before, up to max_len; end (as "
        "SASRec's published code) tells in training how many will follow",
    )


class NextItemModel(Model):
    """Causal models over item embeddings: hidden state i scores what follows item i by E @ hidden.

    Subclasses make the states from left-aligned sequences (PAD on the right, in every item's future).
    """

    dataloader_code = "sas"
    cpu_positions = 8192
    options: NextItemOptions

    def __init__(self, options: NextItemOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.items = ItemEmbedding(dimensions.num_items, options.hidden_units)

    @classmethod
    def conflict(cls, sections: Mapping[str, Any]) -> str | None:
        if getattr(sections.get("run"), "mode", "train") != "train":  # it has its loss behind it, or (tune) before it
            return super().conflict(sections)
        options, loader = sections["model"], sections.get("dataloader")
        loss, offset, gbce_t = options.loss, options.logit_offset, options.gbce_t
        negatives = getattr(loader, "train_negative_sample_size", None)
        described = (
            getattr(loader, "share_negatives", False)
            or getattr(loader, "train_negative_sampler_code", "random") != "random"
        )
        conflicts = (
            (
                offset and loss in ("ce", "sampled_ce"),
                f"logit_offset {offset} has its place in losses bce and gbce, not in {loss}: set it to 0",
            ),
            (
                loss != "gbce" and gbce_t != GBCE_T,
                f"gbce_t {gbce_t} has its place in loss gbce, not in {loss}: leave it at {GBCE_T}",
            ),
            (
                loss != "ce" and negatives == 0,
                f"loss {loss} needs negatives, and train_negative_sample_size is 0: set it to 1 or more, or loss to ce",
            ),
            (
                loss == "ce" and negatives,
                f"loss ce has no use for negatives: set train_negative_sample_size to 0, not {negatives}",
            ),
            (
                loss == "ce" and described,
                "loss ce has no negatives: leave share_negatives and train_negative_sampler_code out",
            ),
        )
        return next((said for wrong, said in conflicts if wrong), None) or super().conflict(sections)

    @abstractmethod
    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """[B, L, H] of left-aligned items int64 [B, L], of which lengths int64 [B] count; times int64 [B, L] or None:
        of the items, and of what follows each."""

    def last_states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """The state after each row's last item, [B, H]."""
        return at_last(self.states(items, lengths, times, next_times), lengths).squeeze(1)  # [B, 1, H] -> [B, H]

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of predicting the next item, averaged over the positions with a target."""
        order, lengths, times, next_times = _left_aligned(batch)
        assert batch.targets is not None
        items, targets = batch.items.gather(1, order), batch.targets.gather(1, order)
        hidden = self.states(items, lengths, times, next_times)  # [B, L, H]
        used = targets > 0
        if self.options.loss == "ce":
            picked, places, weights = pick_rows(hidden, used)
            chosen = targets.flatten()[places][:, None]  # [N, 1]
            weights = (weights / weights.sum())[:, None]  # [N, 1]
            loss = softmax_cross_entropy(picked, self.items.weight, None, chosen, weights)
        else:
            loss = self._sampled_loss(hidden, targets, used, order, batch).mean()
        return loss, {}

    def _sampled_loss(self, hidden: Tensor, targets: Tensor, used: Tensor, order: Tensor, batch: Batch) -> Tensor:
        """[N], of the positions in `used` bool [B, L]."""
        if batch.negatives is None or batch.negative_log_q is None:
            raise UserError(f"loss {self.options.loss} of model {self.code} needs batches with negatives")
        positive = (hidden[used] * self.items(targets[used])).sum(-1)  # [N]
        if batch.negatives.shape[1] == 1:  # in common for a window: [B, L, H] x [B, H, K]
            negatives, log_q = batch.negatives.expand(-1, hidden.shape[1], -1)[used], batch.negative_log_q
            logits = torch.bmm(hidden, self.items(batch.negatives.squeeze(1)).transpose(1, 2))[used]  # [N, K]
            log_q = log_q.expand(-1, hidden.shape[1], -1)[used]
        else:
            moved = order[:, :, None].expand_as(batch.negatives)
            negatives, log_q = batch.negatives.gather(1, moved)[used], batch.negative_log_q.gather(1, moved)[used]
            rows = max(1, NEGATIVE_ENTRIES // (negatives.shape[1] * hidden.shape[2]))
            logits = by_rows(self._negative_logits, rows, hidden[used], negatives)
        logits = logits.masked_fill(negatives == 0, -torch.inf)
        if self.options.loss == "sampled_ce":
            return sampled_softmax(positive, logits, log_q.to(logits.dtype))
        beta = 1.0
        if self.options.loss == "gbce":
            beta = gbce_beta(negatives.shape[1], self.dimensions.num_items, self.options.gbce_t)
        offset = self.options.logit_offset
        if isinstance(offset, str):  # auto
            offset = math.log(beta / negatives.shape[1])
        return binary_cross_entropy(positive + offset, logits + offset, beta)

    def _negative_logits(self, hidden: Tensor, negatives: Tensor) -> Tensor:
        """hidden [N, H] times its negatives, int64 [N, K]: [N, K]"""
        return torch.bmm(self.items(negatives), hidden[:, :, None]).squeeze(2)  # [N, K, H] x [N, H, 1]

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Logits of what comes after the last item: [B, V + 1], or [B, C] of the candidates."""
        order, lengths, times, next_times = _left_aligned(batch)
        hidden = self.last_states(batch.items.gather(1, order), lengths, times, next_times)
        return self.items.logits(hidden, candidates)


def _left_aligned(batch: Batch) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """(order, lengths) of `align_left`, and the batch's times in that order."""
    order, lengths = align_left(batch.items)
    times, following = batch.timestamps, batch.next_timestamps
    return (
        order,
        lengths,
        None if times is None else times.gather(1, order),
        None if following is None else following.gather(1, order),
    )
