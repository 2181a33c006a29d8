"""HSTU (Zhai et al. 2024): pointwise attention by SiLU, not softmax; gated; with biases by position and time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from models.base import Dimensions
from models.layers.attention import join_heads, split_heads
from models.layers.chunks import by_rows
from models.layers.dropout import Dropout
from models.layers.embedding import PositionEmbedding, init_parameters
from models.next_item import NextItemModel, PlacedOptions

TIME_BUCKETS = 128
ENTRIES = 2_000_000  # attention weights in memory at once, about


class HSTUOptions(PlacedOptions):
    """Options of model `hstu`."""

    num_blocks: int = Field(2, ge=1, description="HSTU blocks")
    num_heads: int = Field(2, ge=1, description="attention heads; they divide hidden_units")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of the embeddings and of each block's output")
    use_time: bool = Field(False, description="add a learned bias by the time between items (needs timestamps)")

    @model_validator(mode="after")
    def _heads_divide(self) -> HSTUOptions:
        if self.hidden_units % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide hidden_units ({self.hidden_units})")
        return self


def time_buckets(times: Tensor, next_times: Tensor) -> Tensor:
    """floor(ln(max(1, |t_(i+1) - t_j|)) / 0.301), at most 127: int64 [B, T, T] of int64 [B, T] seconds.

    Row i is asked when what follows item i was consumed, so that the time since item i itself counts, too.
    """
    seconds = (next_times[:, :, None] - times[:, None, :]).abs().clamp_min(1)
    return (seconds.float().log() / 0.301).long().clamp_max(TIME_BUCKETS - 1)


class HSTUBlock(nn.Module):
    """u, v, q, k = SiLU(W1 LN(x)); y = SiLU(q k^T + bias) / n v over the past; x + W2 (LN(y) * u)."""

    def __init__(self, width: int, heads: int, dropout: float, max_len: int, use_time: bool) -> None:
        super().__init__()
        self.heads = heads
        self.max_len = max_len
        self.input_norm = nn.LayerNorm(width)
        self.input = nn.Linear(width, 4 * width)
        self.output_norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.position_bias = nn.Parameter(torch.zeros(max_len))  # by how far back an item lies
        self.time_bias = nn.Parameter(torch.zeros(TIME_BUCKETS)) if use_time else None

    def forward(self, x: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """[B, T, H] -> [B, T, H], left-aligned."""
        gate, v, q, k = F.silu(self.input(self.input_norm(x))).chunk(4, -1)
        length = x.shape[1]
        rows = max(1, ENTRIES // (self.heads * length * length))
        attention = _attention(self.position_bias, self.time_bias, length, self.max_len)
        heads = [split_heads(part, self.heads) for part in (q, k, v)]
        known = [] if self.time_bias is None or times is None or next_times is None else [times, next_times]
        mixed = join_heads(by_rows(attention, rows, *heads, *known))  # [B, T, H]
        output: Tensor = x + self.output(self.dropout(self.output_norm(mixed) * gate))
        return output


def _attention(position_bias: Tensor, time_bias: Tensor | None, length: int, max_len: int) -> Callable[..., Tensor]:
    """The attention of q, k, v [b, heads, T, D] (and times [b, T], twice): [b, heads, T, D]."""
    place = torch.arange(length, device=position_bias.device)
    distance = place[:, None] - place  # [T, T], negative in the future
    causal = distance >= 0

    def attend(q: Tensor, k: Tensor, v: Tensor, *known: Tensor) -> Tensor:
        scores = q @ k.transpose(2, 3) + position_bias[distance.clamp_min(0)]  # [b, heads, T, T]
        if time_bias is not None and known:
            buckets = time_buckets(*known)  # [b, T, T]
            scores = scores + time_bias.gather(0, buckets.flatten()).view(buckets.shape)[:, None]
        return F.silu(scores).mul(causal.to(v.dtype) / max_len) @ v

    return attend


class HSTU(NextItemModel):
    """x = sqrt(H) E[items] + P, then HSTU blocks; logits of the next item are E @ LN(x)."""

    code = "hstu"
    Options = HSTUOptions
    options: HSTUOptions

    @classmethod
    def required(cls, options: Any) -> frozenset[str]:
        return frozenset({"timestamps"}) if options.use_time else frozenset()

    @classmethod
    def knows_request_time(cls, options: Any) -> bool:
        return bool(options.use_time)

    def __init__(self, options: HSTUOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width = options.hidden_units
        self.positions = PositionEmbedding(dimensions.max_len, width)
        self.dropout = Dropout(options.dropout)
        self.blocks = nn.ModuleList(self.make_block(options, dimensions.max_len) for _ in range(options.num_blocks))
        self.norm: nn.Module = nn.LayerNorm(width)
        init_parameters(self)

    def make_block(self, options: HSTUOptions, max_len: int) -> nn.Module:
        """A block of (x [B, T, H], times, next_times) -> [B, T, H]."""
        return HSTUBlock(options.hidden_units, options.num_heads, options.dropout, max_len, options.use_time)

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        x = self.items(items) * math.sqrt(self.options.hidden_units)
        x = self.dropout(x + self.positions.left_aligned(items.shape[1], lengths, self.options.positions_from))
        for block in self.blocks:
            x = block(x, times, next_times)
        normed: Tensor = self.norm(x)
        return normed
