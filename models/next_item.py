"""What the models that predict the next item at every position share: their options, their loss and their scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator
from torch import Tensor

from common.errors import UserError
from models.base import Dimensions, Model
from models.featured import FeaturedOptions
from models.layers.coded_items import CodedItemEmbedding, svd_codes
from models.layers.embedding import ItemEmbedding, Origin
from models.layers.padding import align_left, at_last
from models.losses import LOSSES
from models.losses.next_item import Predictions

if TYPE_CHECKING:
    import torch

    from dataloaders.batch import Batch

    LossName = str
else:
    LossName = Literal[tuple(LOSSES)]


class NextItemOptions(FeaturedOptions):
    """Options of the losses of next-item models."""

    hidden_units: int = Field(64, ge=1, description="width of the item embeddings and hidden states")
    loss: LossName = Field("ce", description="; ".join(f"{name} = {loss.description}" for name, loss in LOSSES.items()))
    gbce_t: float = Field(0.75, ge=0, le=1, description="calibration t of gbce: 0 = as bce, 1 = calibrated")
    logit_offset: float | Literal["auto"] = Field(
        0.0,
        description="constant that losses bce and gbce add to every logit; auto = log(beta / negatives), with beta 1 "
        "for bce, starts training at small probabilities, where the loss is least; ranks are not affected",
    )
    sce_bucket_items: int = Field(256, ge=1, description="items in a bucket of loss sce: more = closer to ce")
    item_bias: bool = Field(False, description="add a learned constant for each item to its logits")
    normalize_logits: bool = Field(
        False,
        description="divide item embeddings and hidden states by their L2 norms: logits are cosines",
    )
    temperature: float = Field(1.0, gt=0, description="divide the products of embeddings and states by it")
    item_codes: Literal["none", "jpq"] = Field(
        "none",
        description="jpq = an item's embedding is joined from jpq_splits parts, each one of jpq_centroids shared "
        "vectors, so that there is no row per item (RecJPQ); none = a row of its own",
    )
    jpq_splits: int = Field(8, ge=1, description="parts of an embedding under item_codes jpq; they divide hidden_units")
    jpq_centroids: int = Field(256, ge=2, le=256, description="vectors to choose each part from, under item_codes jpq")

    @model_validator(mode="after")
    def _codes_fit(self) -> NextItemOptions:
        if self.item_codes == "jpq" and self.hidden_units % self.jpq_splits:
            raise ValueError(f"jpq_splits ({self.jpq_splits}) must divide hidden_units ({self.hidden_units})")
        if self.item_codes == "jpq" and self.item_features is not None:
            raise ValueError("item_features can't be added to item_codes jpq: use item_codes none")
        return self


class PlacedOptions(NextItemOptions):
    """Options of next-item models with position embeddings."""

    positions_from: Origin = Field(
        "end",
        description="where positions are counted from: start = the number of items before, up to max_len; end = the "
        "number of items that follow in the window (as in SASRec's published code)",
    )


class NextItemModel(Model):
    """Causal models over item embeddings: hidden state i scores what follows item i by E @ hidden
    (`ItemEmbedding`).

    Subclasses make the states from left-aligned sequences (PAD on the right, in every item's future).
    """

    dataloader_code = "sas"
    cpu_positions = 8192
    options: NextItemOptions

    def __init__(self, options: NextItemOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.items = make_items(options, dimensions.num_items, options.hidden_units)
        self.items.add_features(dimensions.item_features)
        self.reads_training = options.item_codes != "none"

    @classmethod
    def conflict(cls, sections: Mapping[str, Any]) -> str | None:
        if getattr(sections.get("run"), "mode", "train") != "train":  # no loss is computed, or (tune) it may change
            return super().conflict(sections)
        options, loader = sections["model"], sections.get("dataloader")
        return _loss_conflict(options) or _negatives_conflict(options.loss, loader) or super().conflict(sections)

    @classmethod
    def touches_rows(cls, options: NextItemOptions) -> bool:
        return LOSSES[options.loss].needs_negatives and options.item_features is None

    def read_training(self, items: Tensor, offsets: Tensor) -> None:
        options = self.options
        if options.item_codes == "none":
            return
        codes = svd_codes(items, offsets, self.dimensions.num_items, options.jpq_splits, options.jpq_centroids)
        for part in self.modules():
            if isinstance(part, CodedItemEmbedding):
                part.codes.copy_(codes)

    @abstractmethod
    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """The hidden states [B, L, H] of left-aligned sequences.

        items : int64 [B, L], PAD after the first `lengths` items of a row
        lengths : int64 [B]
        times, next_times : int64 [B, L] seconds, of each item and of the item that follows it; None if not used
        """

    def last_states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """The state after each row's last item, [B, H]."""
        return at_last(self.states(items, lengths, times, next_times), lengths).squeeze(1)  # [B, 1, H] -> [B, H]

    def with_users(self, states: Tensor, users: Tensor) -> Tensor:
        """The states [B, L, H] or [B, H] with what the model knows about users int64 [B]; by default nothing."""
        return states

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of predicting the next item, averaged over the positions with a target."""
        return LOSSES[self.options.loss].function(self.predictions(batch, generator), self.options), {}

    def predictions(self, batch: Batch, generator: torch.Generator) -> Predictions:
        """The states of a training batch, and what they are to predict."""
        if LOSSES[self.options.loss].needs_negatives and batch.negatives is None:
            raise UserError(f"loss {self.options.loss} of model {self.code} needs batches with negatives")
        order, lengths, times, next_times = _left_aligned(batch)
        assert batch.targets is not None
        items, targets = batch.items.gather(1, order), batch.targets.gather(1, order)
        states = self.with_users(self.states(items, lengths, times, next_times), batch.users)
        return Predictions(
            self.items.output_states(states),  # [B, L, H]
            targets,
            self.items,
            _reordered(batch.negatives, order),
            _reordered(batch.negative_log_q, order),
            generator,
        )

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Logits of what comes after the last item: [B, V + 1], or [B, C] of the candidates."""
        return self.items.logits(self._last_hidden(batch), candidates)

    def item_vectors(self) -> Tensor:
        return self.items.vectors()

    def user_vectors(self, batch: Batch) -> Tensor:
        return self.items.states(self._last_hidden(batch))

    def _last_hidden(self, batch: Batch) -> Tensor:
        """What meets the item embeddings after the last item, [B, H]."""
        order, lengths, times, next_times = _left_aligned(batch)
        hidden = self.last_states(batch.items.gather(1, order), lengths, times, next_times)
        return self.with_users(hidden, batch.users)


def make_items(options: NextItemOptions, num_items: int, width: int) -> ItemEmbedding:
    """The item embeddings that the options choose, which make the logits."""
    form = num_items, width, options.item_bias, options.normalize_logits, options.temperature
    if options.item_codes == "none":
        return ItemEmbedding(*form)
    return CodedItemEmbedding(*form, options.jpq_splits, options.jpq_centroids)


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


def _reordered(negatives: Tensor | None, order: Tensor) -> Tensor | None:
    """Values of negatives [B, L, K] in the order int64 [B, L]; those shared by a window, [B, 1, K], as they are."""
    if negatives is None or negatives.shape[1] == 1:
        return negatives
    return negatives.gather(1, order[:, :, None].expand_as(negatives))


def _loss_conflict(options: NextItemOptions) -> str | None:
    """Why an option that the loss doesn't read may not be changed; None if it isn't."""
    for key in ("logit_offset", "gbce_t", "sce_bucket_items"):
        value, default = getattr(options, key), NextItemOptions.model_fields[key].default
        if value != default and key not in LOSSES[options.loss].reads:
            readers = " and ".join(name for name, loss in LOSSES.items() if key in loss.reads)
            return f"{key} {value} only has an effect with loss {readers}, not with {options.loss}: set it to {default}"
    return None


def _negatives_conflict(loss: str, loader: Any) -> str | None:
    """Why the dataloader's negatives don't fit the loss; None if they do."""
    negatives = getattr(loader, "train_negative_sample_size", None)
    if LOSSES[loss].needs_negatives:
        if negatives != 0:
            return None
        return f"loss {loss} needs negatives, and train_negative_sample_size is 0: set it to 1 or more, or loss to ce"
    if negatives:
        return f"loss {loss} uses no negatives: set train_negative_sample_size to 0, not {negatives}"
    shared, sampler = (getattr(loader, key, None) for key in ("share_negatives", "train_negative_sampler_code"))
    if shared or sampler not in (None, "random"):
        return f"loss {loss} uses no negatives: leave out share_negatives and train_negative_sampler_code"
    return None
