"""Embeddings of items and positions, and the first values of all parameters."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.item_features import FeatureSum, ItemFeatures

INIT_RANGE = 0.02
Origin = Literal["end", "start"]  # from where a sequence's positions are counted


def init_parameters(module: nn.Module, spread: float = INIT_RANGE, linear_spread: float | None = None) -> None:
    """Weights ~ N(0, spread^2), those of linear layers ~ N(0, linear_spread^2) if that is given, biases 0, layer norms
    the identity, the embedding of PAD 0."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, spread if linear_spread is None else linear_spread)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, 0.0, spread)
        elif isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, ItemEmbedding):
            nn.init.normal_(part.weight, 0.0, spread)
            with torch.no_grad():
                part.weight[0] = 0


class ItemEmbedding(nn.Module):
    """weight [V + 1, H], whose row 0 (PAD) is 0 and stays so; and the logits of items, by default weight @ hidden.

    With `sparse`, lookups have sparse gradients. `features` are added to all rows; they are the whole row of an item
    without training interactions.

    bias : add a learned constant for each item to its logits
    normalized : divide rows and states by their L2 norms, so that logits are cosines
    temperature : divide the product by it
    """

    sparse = False

    def __init__(
        self, num_items: int, width: int, bias: bool = False, normalized: bool = False, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.num_items = num_items
        self.weight = nn.Parameter(torch.empty(num_items + 1, width))
        self.bias = nn.Parameter(torch.zeros(num_items + 1)) if bias else None
        self.features: FeatureSum | None = None
        self.normalized = normalized
        self.temperature = temperature

    def add_features(self, features: ItemFeatures | None) -> None:
        """Add features of items to their rows, from now on."""
        if features is not None:
            self.features = FeatureSum(features, self.weight.shape[1])

    def forward(self, items: Tensor) -> Tensor:
        """int64 [...] -> [..., H]"""
        if self.features is not None:
            return F.embedding(items, self.rows(), padding_idx=0)
        return F.embedding(items, self.weight, padding_idx=0, sparse=self.sparse)

    def rows(self) -> Tensor:
        """The embeddings of all items, [V + 1, H]."""
        if self.features is None:
            return self.weight
        summed: Tensor = self.features()
        return self.weight * self.features.trained[:, None] + summed

    def output_rows(self, items: Tensor | None = None) -> Tensor:
        """The rows whose products with `output_states` are the logits, but for the bias: [V + 1, H].

        Of items int64 [...], theirs alone: [..., H].
        """
        rows = self.rows() if items is None else self(items)
        return F.normalize(rows, dim=-1) if self.normalized else rows

    def output_states(self, hidden: Tensor) -> Tensor:
        """States [..., H] as they meet `output_rows`."""
        if self.normalized:
            hidden = F.normalize(hidden, dim=-1)
        return hidden if self.temperature == 1 else hidden / self.temperature

    def vectors(self, more_bias: Tensor | None = None) -> Tensor:
        """Whose products with `states` are the logits, with another constant [V + 1] added: [V + 1, H or H + 1]."""
        biases = [bias for bias in (self.bias, more_bias) if bias is not None]
        rows = self.output_rows()
        return torch.cat([rows, torch.stack(biases).sum(0)[:, None]], 1) if biases else rows

    def states(self, hidden: Tensor, more_bias: Tensor | None = None) -> Tensor:
        """What meets `vectors` after states [B, H]: [B, H or H + 1]."""
        hidden = self.output_states(hidden)
        return hidden if self.bias is None and more_bias is None else F.pad(hidden, (0, 1), value=1.0)

    def logits(self, hidden: Tensor, candidates: Tensor | None = None) -> Tensor:
        """The logits of all items after states [B, H]: [B, V + 1]; or of `candidates` int64 [B, C]: [B, C]."""
        hidden = self.output_states(hidden)
        if candidates is None:
            logits = hidden @ self.output_rows().T
            return logits if self.bias is None else logits + self.bias
        logits = torch.bmm(self.output_rows(candidates), hidden[:, :, None]).squeeze(2)  # [B, C, H] x [B, H, 1]
        return logits if self.bias is None else logits + self.bias[candidates]


class PositionEmbedding(nn.Module):
    """A learned vector for each distance from the end of a sequence, or from its start: the same at any padding."""

    def __init__(self, max_len: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_len, width)

    def forward(self, length: int) -> Tensor:
        """Of the positions of a left-padded sequence: [length, H], the last one being row max_len - 1.

        Raises ValueError for a sequence longer than max_len.
        """
        if length > self.table.num_embeddings:
            raise ValueError(f"{length} items are more than the {self.table.num_embeddings} positions that there are")
        return self.table.weight[self.table.num_embeddings - length :]

    def left_aligned(self, length: int, lengths: Tensor, origin: Origin = "end") -> Tensor:
        """Of sequences that `align_left` moved: [B, length, H]; lengths int64 [B]. Padding gets row 0.

        origin : "end" gives a sequence's last item row max_len - 1, "start" its first item row 0
        """
        place = torch.arange(length, device=lengths.device)  # [length]
        beyond = place >= lengths[:, None]  # [B, length]
        first = self.table.num_embeddings - lengths if origin == "end" else torch.zeros_like(lengths)
        embedded: Tensor = self.table((place + first[:, None]).masked_fill(beyond, 0))
        return embedded
