"""What models minimise. Adding a loss of next-item models = one function in `next_item.py` and one line in `LOSSES`."""

from models.losses.next_item import (
    NextItemLoss,
    bce_loss,
    cross_entropy_loss,
    gbce_loss,
    sampled_softmax_loss,
    scalable_cross_entropy_loss,
)

LOSSES: dict[str, NextItemLoss] = {
    "bce": NextItemLoss(bce_loss, "binary cross-entropy with sampled negatives", reads=frozenset({"logit_offset"})),
    "ce": NextItemLoss(cross_entropy_loss, "softmax over all items", needs_negatives=False),
    "gbce": NextItemLoss(
        gbce_loss, "bce corrected for the sampling (gSASRec)", reads=frozenset({"logit_offset", "gbce_t"})
    ),
    "sampled_ce": NextItemLoss(sampled_softmax_loss, "softmax over sampled negatives, with logQ correction"),
    "sce": NextItemLoss(
        scalable_cross_entropy_loss,
        "softmax over buckets of items with large logits (for large catalogues)",
        needs_negatives=False,
        reads=frozenset({"sce_bucket_items"}),
    ),
}

__all__ = ["LOSSES", "NextItemLoss"]
