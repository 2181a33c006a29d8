"""What models with a cloze (masked item) objective share: the mask vector, the head, the loss, the scores."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from models.base import Dimensions, Model
from models.featured import FeaturedOptions
from models.layers.embedding import INIT_RANGE, ItemEmbedding
from models.layers.padding import pick_rows
from models.losses.softmax import softmax_cross_entropy

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class ClozeOptions(FeaturedOptions):
    """Options of bidirectional transformers."""

    hidden_units: int = Field(64, ge=1, description="width of the item embeddings and hidden states")
    num_blocks: int = Field(2, ge=1, description="transformer blocks")
    inner_factor: int = Field(4, ge=1, description="width of the feed-forward layers, in hidden_units")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings and of each layer's output")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of attention weights (slow: not fused)")


class HeadedClozeOptions(ClozeOptions):
    """Options of bidirectional transformers with a number of heads."""

    num_heads: int = Field(2, ge=1, description="attention heads; they divide hidden_units")

    @model_validator(mode="after")
    def _heads_divide(self) -> HeadedClozeOptions:
        if self.hidden_units % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide hidden_units ({self.hidden_units})")
        return self


class Head(nn.Module):
    """LN(GELU(W h)): what is multiplied with the item embeddings, to which a bias per item is added."""

    def __init__(self, num_items: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(num_items + 1))

    def forward(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self.norm(F.gelu(self.linear(hidden)))
        return normed


class ClozeModel(Model):
    """Predicts hidden items from both sides; what comes next is a hidden item at the end.

    Subclasses make the states; sequences stay left-padded.
    """

    dataloader_code = "bert"
    cpu_positions = 8192
    options: ClozeOptions

    def __init__(self, options: ClozeOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.items = ItemEmbedding(dimensions.num_items, options.hidden_units)
        self.items.add_features(dimensions.item_features)
        self.hidden_item = nn.Parameter(torch.randn(options.hidden_units) * INIT_RANGE)
        self.head = Head(dimensions.num_items, options.hidden_units)

    @abstractmethod
    def states(self, embedded: Tensor, real: Tensor, times: Tensor | None) -> Tensor:
        """[B, L, H] of items' embeddings [B, L, H]; `real` bool [B, L], False at padding; times int64 [B, L]."""

    def last_states(self, embedded: Tensor, real: Tensor, times: Tensor | None) -> Tensor:
        """The state of the last column, [B, H]."""
        return self.states(embedded, real, times)[:, -1]

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the hidden items, averaged over them."""
        assert batch.targets is not None
        hidden = batch.targets > 0  # [B, L]
        embedded = torch.where(hidden[:, :, None], self.hidden_item, self.items(batch.items))
        picked, places, weights = pick_rows(self.states(embedded, batch.items > 0, batch.timestamps), hidden)
        targets = batch.targets.flatten()[places][:, None]  # [N, 1]
        weights = (weights / weights.sum())[:, None]  # [N, 1]
        return softmax_cross_entropy(self.head(picked), self.items.rows(), self.head.bias, targets, weights), {}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Logits of an item hidden behind the sequence: [B, V + 1], or [B, C] of the candidates."""
        logits = self.items.logits(self._last_hidden(batch), candidates)
        return logits + (self.head.bias if candidates is None else self.head.bias[candidates])

    def item_vectors(self) -> Tensor:
        return self.items.vectors(self.head.bias)

    def user_vectors(self, batch: Batch) -> Tensor:
        return self.items.states(self._last_hidden(batch), self.head.bias)

    def _last_hidden(self, batch: Batch) -> Tensor:
        """What meets the item embeddings, [B, H]."""
        count = batch.items.shape[0]
        last = self.hidden_item.expand(count, 1, -1)
        embedded = torch.cat([self.items(batch.items), last], 1)  # [B, L + 1, H]
        real = F.pad(batch.items > 0, (0, 1), value=True)
        times = batch.timestamps
        if times is not None:
            requested = times[:, -1] if batch.request_times is None else batch.request_times
            times = torch.cat([times, requested[:, None]], 1)
        hidden: Tensor = self.head(self.last_states(embedded, real, times))
        return hidden
