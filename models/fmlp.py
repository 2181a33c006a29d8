"""FMLP-Rec (Zhou et al. 2022): learned filters of the frequencies of a sequence in place of attention."""

from __future__ import annotations

from abc import abstractmethod

import torch
from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.layers.add_norm import AddNorm, PostNormFeedForward
from models.layers.causal_filter import filter_by_channel, kernel_of
from models.layers.dropout import Dropout
from models.layers.embedding import INIT_RANGE, PositionEmbedding, init_parameters
from models.next_item import NextItemModel, PlacedOptions


class FilterOptions(PlacedOptions):
    """Options of models that filter sequences."""

    num_blocks: int = Field(2, ge=1, description="blocks of a filter and a feed-forward layer")
    inner_factor: int = Field(4, ge=1, description="width of the feed-forward layers, in hidden_units")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings and of each layer's output")


class FMLPOptions(FilterOptions):
    """Options of model `fmlp`."""


class FilterModel(NextItemModel):
    """x = LN(E[items] + P), then post-norm blocks; logits of the next item are E @ x."""

    options: FilterOptions

    def __init__(self, options: FilterOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.positions = PositionEmbedding(dimensions.max_len, options.hidden_units)
        self.norm = nn.LayerNorm(options.hidden_units)
        self.dropout = Dropout(options.dropout)
        self.blocks = nn.ModuleList(self.make_block(dimensions.max_len) for _ in range(options.num_blocks))
        init_parameters(self)

    @abstractmethod
    def make_block(self, max_len: int) -> nn.Module:
        """A block [B, T, H] -> [B, T, H] that looks back only; T is at most max_len."""

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        placed = self.positions.left_aligned(items.shape[1], lengths, self.options.positions_from)
        x: Tensor = self.dropout(self.norm(self.items(items) + placed))
        for block in self.blocks:
            x = block(x)
        return x


class LearnedFilterBlock(nn.Module):
    """x = LN(x + dropout(filter(x))), then LN(x + dropout(FeedForward(x))).

    The filter multiplies each frequency of each channel by a learned complex number W, and sees no later item: position
    i gets what the paper's filter gives the last position of the sequence up to i, with zeros before it.
    """

    def __init__(self, width: int, inner: int, dropout: float, max_len: int) -> None:
        super().__init__()
        self.max_len = max_len
        # real and imaginary parts
        self.response = nn.Parameter(torch.randn(max_len // 2 + 1, width, 2) * INIT_RANGE)
        self.add = AddNorm(width, dropout)
        self.feed_forward = PostNormFeedForward(width, inner, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, H] -> [B, T, H], left-aligned."""
        kernels = kernel_of(torch.view_as_complex(self.response), self.max_len)  # [max_len, H]
        output: Tensor = self.feed_forward(self.add(x, filter_by_channel(x, kernels)))
        return output


class FMLP(FilterModel):
    """Blocks of a learned filter and a feed-forward layer, without attention."""

    code = "fmlp"
    Options = FMLPOptions

    def make_block(self, max_len: int) -> nn.Module:
        width = self.options.hidden_units
        return LearnedFilterBlock(width, self.options.inner_factor * width, self.options.dropout, max_len)
