"""BSARec (Shin et al. 2024): attention mixed with a low-pass filter of the sequence, against oversmoothing."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from models.fmlp import FilterModel, FilterOptions
from models.layers.add_norm import AddNorm, PostNormFeedForward
from models.layers.attention import SelfAttention
from models.layers.causal_filter import filter_by_one, low_pass_kernel


class BSARecOptions(FilterOptions):
    """Options of model `bsarec`."""

    num_blocks: int = Field(2, ge=1, description="blocks of a mixed layer and a feed-forward layer")
    num_heads: int = Field(2, ge=1, description="attention heads; they divide hidden_units")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of attention weights (slow: not fused)")
    filter_share: float = Field(0.7, ge=0, le=1, description="share of the filter; attention has the rest (alpha)")
    low_frequencies: int = Field(
        3,
        ge=1,
        description="frequencies that the low-pass filter keeps, the mean included (c // 2 + 1)",
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> BSARecOptions:
        if self.hidden_units % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide hidden_units ({self.hidden_units})")
        return self


class BSARecBlock(nn.Module):
    """a F + (1 - a) A, then LN(x + dropout(FeedForward(x))), with a = filter_share and

    F = LN(x + dropout(low + beta^2 (x - low))), where low is x without its high frequencies,
    A = LN(x + dropout(Attention(x))).

    Neither sees later items: at position i, low is that of the sequence up to i, with zeros before it.
    """

    kernel: Tensor

    def __init__(self, options: BSARecOptions, max_len: int) -> None:
        super().__init__()
        width = options.hidden_units
        self.filter_share = options.filter_share
        self.register_buffer("kernel", low_pass_kernel(max_len, options.low_frequencies), persistent=False)
        self.beta = nn.Parameter(torch.randn(width))
        self.attention = SelfAttention(width, options.num_heads, options.attention_dropout)
        self.add_filtered = AddNorm(width, options.dropout)
        self.add_attended = AddNorm(width, options.dropout)
        self.feed_forward = PostNormFeedForward(width, options.inner_factor * width, options.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, H] -> [B, T, H], left-aligned."""
        low = filter_by_one(x, self.kernel)
        filtered = self.add_filtered(x, low + self.beta.square() * (x - low))
        attended = self.add_attended(x, self.attention(x, x, causal=True))
        mixed = self.filter_share * filtered + (1 - self.filter_share) * attended
        output: Tensor = self.feed_forward(mixed)
        return output


class BSARec(FilterModel):
    """Blocks that mix a low-pass filter with attention."""

    code = "bsarec"
    Options = BSARecOptions
    options: BSARecOptions

    def make_block(self, max_len: int) -> nn.Module:
        return BSARecBlock(self.options, max_len)
