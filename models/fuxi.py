"""FuXi-alpha (Ye et al. 2025): HSTU whose weights by content, position and time are kept apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.hstu import HSTU, TIME_BUCKETS, HSTUOptions, time_buckets
from models.layers.attention import join_heads, split_heads
from models.layers.causal_filter import filter_by_one
from models.layers.chunks import by_rows
from models.layers.dropout import Dropout
from models.layers.embedding import INIT_RANGE
from models.layers.feed_forward import FeedForward

ENTRIES = 2_000_000  # attention weights in memory at once, about


class FuXiOptions(HSTUOptions):
    """Options of model `fuxi`."""

    num_blocks: int = Field(2, ge=1, description="FuXi blocks")
    num_heads: int = Field(1, ge=1, description="attention heads; they divide hidden_units")
    inner_factor: int = Field(1, ge=1, description="width of the feed-forward layers, in hidden_units")
    use_time: bool = Field(False, description="add a channel of weights by the time between items (needs timestamps)")


class FuXiBlock(nn.Module):
    """u, v, q, k = SiLU(W x) of the normalised x; y = [P v, T v, A v] (channels); x = x + W0 (norm(y) * u);
    then x + SwiGLU(norm(x)).

    A = SiLU(q k^T) / n over the past. P depends on how far back an item lies, T on how long ago it was consumed; both
    are learned. All norms are RMS norms without a scale.
    """

    def __init__(self, options: FuXiOptions, max_len: int) -> None:
        super().__init__()
        width = options.hidden_units
        self.heads = options.num_heads
        self.max_len = max_len
        self.channels = 3 if options.use_time else 2
        self.input = nn.Linear(width, (self.channels + 3) * width, bias=False)
        self.output = nn.Linear(self.channels * width, width)
        self.feed_forward = FeedForward(width, options.inner_factor * width, 0.0, "swiglu")
        self.dropout = Dropout(options.dropout)
        self.position_weights = nn.Parameter(torch.randn(max_len) * INIT_RANGE)  # by how far back an item lies
        self.time_weights = nn.Parameter(torch.randn(TIME_BUCKETS) * INIT_RANGE) if options.use_time else None

    def forward(self, x: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        """[B, T, H] -> [B, T, H], left-aligned."""
        width, length = x.shape[2], x.shape[1]
        raised = F.silu(self.input(F.rms_norm(x, (width,))))
        gate, v, q, k = torch.split(raised, [self.channels * width, width, width, width], -1)
        rows = max(1, ENTRIES // (self.heads * length * length))
        heads = [split_heads(part, self.heads) for part in (q, k, v)]
        known = [] if self.time_weights is None or times is None or next_times is None else [times, next_times]
        mixed = by_rows(_channels(self.time_weights, length, self.max_len), rows, *heads, *known)
        joined = torch.cat([filter_by_one(v, self.position_weights), mixed], -1)  # [B, T, channels * H]
        x = x + self.output(self.dropout(F.rms_norm(joined, joined.shape[-1:]) * gate))
        output: Tensor = x + self.feed_forward(self.dropout(F.rms_norm(x, (width,))))
        return output


def _channels(time_weights: Tensor | None, length: int, max_len: int) -> Callable[..., Tensor]:
    """The channels by time and by content, of q, k, v [b, heads, T, D] (and times [b, T], twice): [b, T, H or 2 H]."""

    def mix(q: Tensor, k: Tensor, v: Tensor, *known: Tensor) -> Tensor:
        causal = torch.ones(length, length, dtype=v.dtype, device=v.device).tril()
        content = join_heads(F.silu(q @ k.transpose(2, 3)).mul(causal / max_len) @ v)
        if time_weights is None or not known:
            return content
        buckets = time_buckets(*known)  # [b, T, T]
        weights = time_weights.gather(0, buckets.flatten()).view(buckets.shape) * causal
        return torch.cat([weights @ join_heads(v), content], -1)

    return mix


class FuXi(HSTU):
    """x = sqrt(H) E[items] + P, then FuXi blocks; logits of the next item are E @ x, or cosines by option."""

    code = "fuxi"
    Options = FuXiOptions

    def __init__(self, options: FuXiOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.norm = nn.Identity()
        for block in self.blocks:
            assert isinstance(block, FuXiBlock)
            for layer in (block.output, block.feed_forward.up, block.feed_forward.down):
                nn.init.xavier_uniform_(layer.weight)

    def make_block(self, options: HSTUOptions, max_len: int) -> nn.Module:
        assert isinstance(options, FuXiOptions)
        return FuXiBlock(options, max_len)
