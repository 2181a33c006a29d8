"""TiSASRec (Li et al. 2020): SASRec whose attention uses the time between items, scaled per user."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.layers.attention import join_heads, split_heads
from models.layers.chunks import by_rows
from models.layers.dropout import Dropout, drop
from models.layers.embedding import PositionEmbedding, init_parameters
from models.next_item import NextItemModel
from models.sas import TransformerOptions

ENTRIES = 4_000_000  # entries of a table of scores by interval in memory at once, about


class TiSASOptions(TransformerOptions):
    """Options of model `tisas`."""

    inner_factor: int = Field(1, ge=1, description="width of the feed-forward layers, in hidden_units")
    tisas_max_time_intervals: int = Field(
        2048, ge=1, description="intervals are clipped to this, in units of the user's smallest interval"
    )


def smallest_intervals(times: Tensor, lengths: Tensor) -> Tensor:
    """The smallest time between consecutive items so far, 0 not counted: float64 [B, T], 1 where there is none yet.

    times int64 [B, T], left-aligned; lengths int64 [B]. The unit at a position knows no later item.
    """
    gaps = F.pad(times.diff(dim=1), (1, 0)).double()  # [B, T]
    padding = torch.arange(times.shape[1], device=times.device) >= lengths[:, None]
    smallest = gaps.masked_fill((gaps <= 0) | padding, torch.inf).cummin(1).values
    return smallest.masked_fill(smallest.isinf(), 1.0)


class TiSASBlock(nn.Module):
    """q = LN(x); x = q + Attention(q, x, x); z = LN(x); z + dropout(W2 relu(W1 z)), as the authors' code has it."""

    def __init__(self, options: TiSASOptions) -> None:
        super().__init__()
        width = options.hidden_units
        self.heads = options.num_heads
        self.attention_dropout = options.attention_dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, options.inner_factor * width)
        self.down = nn.Linear(options.inner_factor * width, width)
        self.dropout = Dropout(options.dropout)

    def forward(
        self,
        x: Tensor,
        key_place: Tensor,
        value_place: Tensor,
        by_interval: tuple[Tensor, Tensor],
        intervals: Tensor,
        asking: Tensor,
    ) -> Tensor:
        """The positions that ask attend to their past: [B, T, H] -> [B, Q, H]

        key_place, value_place : [B, T, H], of the positions; by_interval : two [intervals, H], for keys and values
        intervals : int64 [B, Q, T], from the positions that ask to all
        asking : int64 [B, Q], these positions
        """
        normed = self.attention_norm(x.gather(1, asking[:, :, None].expand(-1, -1, x.shape[2])))
        q, k = self.query(normed), self.key(x) + key_place
        v = self.value(x) + value_place
        heads = [split_heads(part, self.heads) for part in (q / math.sqrt(q.shape[2] // self.heads), k, v)]
        attend = _attention(by_interval, self.heads, self.attention_dropout if self.training else 0.0)
        entries = self.heads * q.shape[1] * max(x.shape[1], by_interval[0].shape[0])
        rows = max(1, ENTRIES // max(entries, 1))
        x = normed + join_heads(by_rows(attend, rows, *heads, intervals, asking))
        z = self.feed_forward_norm(x)
        output: Tensor = z + self.dropout(self.down(self.dropout(F.relu(self.up(z)))))
        return output


def _attention(by_interval: tuple[Tensor, Tensor], heads: int, dropout: float) -> Callable[..., Tensor]:
    """softmax(q_i k_j + q_i RK[r_ij]) (v_j + RV[r_ij]) over the past, without a vector for each pair.

    The scores of a query with all interval vectors are one product, from which pairs pick theirs; the weights of
    pairs are summed by interval before they meet the interval vectors. Only intervals that occur are looked at.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor, intervals: Tensor, asking: Tensor) -> Tensor:
        future = torch.arange(k.shape[2], device=k.device) > asking[:, :, None]  # [b, Q, T]
        used = torch.zeros(by_interval[0].shape[0], dtype=torch.bool, device=q.device)
        used[intervals.masked_fill(future, 0).flatten()] = True
        intervals = (used.cumsum(0) - 1).clamp_min_(0)[intervals][:, None].expand(-1, heads, -1, -1)
        of_heads = [table[used].view(-1, heads, table.shape[1] // heads).transpose(0, 1) for table in by_interval]
        keys, values = of_heads  # [heads, R, D] each
        scores = q @ k.transpose(2, 3) + (q @ keys.transpose(1, 2)).gather(3, intervals)
        weights = scores.masked_fill(future[:, None], -torch.inf).softmax(3)
        weights = drop(weights, dropout)
        summed = weights.new_zeros(*weights.shape[:3], keys.shape[1]).scatter_add(3, intervals, weights)
        attended: Tensor = weights @ v + summed @ values
        return attended

    return attend


class TiSAS(NextItemModel):
    """x = sqrt(H) E[items]; positions and intervals enter through keys and values; no output projection."""

    code = "tisas"
    Options = TiSASOptions
    needs = frozenset({"timestamps"})
    onnx_refusal = "it needs a running minimum of times, which ONNX lacks"
    options: TiSASOptions

    def __init__(self, options: TiSASOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width, count = options.hidden_units, options.tisas_max_time_intervals + 1
        self.key_positions = PositionEmbedding(dimensions.max_len, width)
        self.value_positions = PositionEmbedding(dimensions.max_len, width)
        self.key_intervals = nn.Embedding(count, width)
        self.value_intervals = nn.Embedding(count, width)
        self.dropout = Dropout(options.dropout)
        self.blocks = nn.ModuleList(TiSASBlock(options) for _ in range(options.num_blocks))
        self.norm = nn.LayerNorm(width)
        init_parameters(self)

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        return self._run(items, lengths, times, last_only=False)

    def last_states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        return self._run(items, lengths, times, last_only=True).squeeze(1)  # [B, 1, H] -> [B, H]

    def _run(self, items: Tensor, lengths: Tensor, times: Tensor | None, last_only: bool) -> Tensor:
        """[B, T, H]; with `last_only` [B, 1, H], of each row's last item alone."""
        assert times is not None
        x = self.dropout(self.items(items) * math.sqrt(self.options.hidden_units))
        length, origin = items.shape[1], self.options.positions_from
        tables = self.key_positions, self.value_positions
        places = [self.dropout(table.left_aligned(length, lengths, origin)) for table in tables]
        by_interval = self.dropout(self.key_intervals.weight), self.dropout(self.value_intervals.weight)
        asking = torch.arange(length, device=items.device).expand(items.shape[0], -1)  # [B, T]
        intervals = self._intervals(times, lengths)  # [B, T, T]
        for number, block in enumerate(self.blocks):
            if last_only and number + 1 == len(self.blocks):
                asking = (lengths - 1).clamp_min(0)[:, None]  # [B, 1]
                intervals = intervals.gather(1, asking[:, :, None].expand(-1, -1, length))
            x = block(x, *places, by_interval, intervals, asking)
        normed: Tensor = self.norm(x)
        return normed

    def _intervals(self, times: Tensor, lengths: Tensor) -> Tensor:
        """|t_i - t_j| in units of position i, rounded and clipped: int64 [B, T, T]."""
        units = smallest_intervals(times, lengths)
        intervals = (times[:, :, None] - times[:, None, :]).abs() / units[:, :, None]  # float64
        return intervals.round_().clamp_max_(self.options.tisas_max_time_intervals).long()
