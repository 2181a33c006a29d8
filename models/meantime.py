"""MEANTIME (Cho et al. 2020): BERT4Rec whose attention heads each encode time in a different way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor, nn

from models.base import Dimensions
from models.cloze import ClozeModel, ClozeOptions
from models.layers.attention import fused_attention, join_heads, open_keys, split_heads
from models.layers.chunks import by_rows
from models.layers.dropout import Dropout
from models.layers.embedding import PositionEmbedding, init_parameters
from models.layers.feed_forward import FeedForward
from models.layers.temporal import difference_queries, kernel_grid, rows_at_once, sinusoids, timed_attention

SECONDS_OF_DAY = 24 * 3600
ABSOLUTE = {"p": "position", "d": "day", "c": "constant"}
RELATIVE = {"s": "sinusoid", "e": "exponential", "l": "logarithm"}


def _kinds_of(known: Mapping[str, str]) -> BeforeValidator:
    """Accepts kinds of heads joined by -; null means none, as in MEANTIME's released templates."""

    def check(value: object) -> object:
        if value is None or value == "":
            return ""
        if not isinstance(value, str) or not set(value.split("-")) <= set(known):
            kinds = ", ".join(f"{letter} ({name})" for letter, name in known.items())
            raise ValueError(f"should be letters joined by -, each one of {kinds}; or null for no such heads")
        return value

    return BeforeValidator(check)


Absolute = Annotated[str, _kinds_of(ABSOLUTE)]
Relative = Annotated[str, _kinds_of(RELATIVE)]


class MeantimeOptions(ClozeOptions):
    """Options of model `meantime`."""

    absolute_kernel_types: Absolute = Field(
        "p-d", description="heads with an absolute embedding, joined by -: p position, d day, c constant; null = none"
    )
    relative_kernel_types: Relative = Field(
        "s-l", description="heads by time differences, joined by -: s sinusoid, e exponential, l logarithm; null = none"
    )
    time_unit_divide: float = Field(1.0, gt=0, description="seconds in the unit of time differences")
    freq: float = Field(10000.0, gt=1, description="ratio of the highest to the lowest frequency of the kernels")

    @property
    def kinds(self) -> tuple[list[str], list[str]]:
        """The kinds of the absolute heads and of the relative ones."""
        absolute, relative = self.absolute_kernel_types, self.relative_kernel_types
        return [k for k in absolute.split("-") if k], [k for k in relative.split("-") if k]

    @model_validator(mode="after")
    def _heads_divide(self) -> MeantimeOptions:
        heads = sum(map(len, self.kinds))
        if not heads or self.hidden_units % heads or self.hidden_units % 2:
            raise ValueError(
                f"the kernel types make {heads} heads: there must be one at least, and their number must divide "
                f"hidden_units ({self.hidden_units}), which must be even"
            )
        return self


class MixedAttention(nn.Module):
    """Heads with scores (q_i + P_i) (k_j + P_j), or q_i k_j + (q_i + b) W r(t_i - t_j); / sqrt(D), softmax, times v.

    A bias of the projected r, as the authors' code has it, would add the same to all of a query's scores: left out.
    """

    def __init__(self, options: MeantimeOptions) -> None:
        super().__init__()
        width = options.hidden_units
        self.options = options
        self.absolute, self.relative = options.kinds
        self.heads = len(self.absolute) + len(self.relative)
        depth = width // self.heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.absolute_query = nn.ModuleList(nn.Linear(width, depth) for _ in self.absolute)
        self.absolute_key = nn.ModuleList(nn.Linear(width, depth) for _ in self.absolute)
        self.relative_key = nn.ModuleList(nn.Linear(width, depth, bias=False) for _ in self.relative)
        self.relative_bias = nn.Parameter(torch.zeros(len(self.relative), depth))
        self.output = nn.Linear(width, width)
        for kind in {"e", "l"} & set(self.relative):
            grid = kernel_grid(kind, width, options.time_unit_divide, options.freq)
            self.register_buffer(f"grid_{kind}", grid.float(), persistent=False)

    def forward(self, x: Tensor, queries: int, mask: Tensor, embeddings: list[Tensor], times: Tensor | None) -> Tensor:
        """The last `queries` positions attend to all: [B, T, H] -> [B, queries, H].

        mask : bool [B, T], where attention may go
        embeddings : [B or 1, T, H] of each absolute head
        times : int64 [B, T] seconds, for relative heads
        """
        q, k, v = (split_heads(part, self.heads) for part in self.query_key_value(x).chunk(3, -1))  # [B, heads, T, D]
        q = q[:, :, -queries:]
        parts = [self._absolute_heads(q, k, v, queries, mask, embeddings)] if self.absolute else []
        for number in range(len(self.relative)):
            head = len(self.absolute) + number
            assert times is not None
            parts.append(self._relative_head(number, q[:, head], k[:, head], v[:, head], mask, times)[:, None])
        output: Tensor = self.output(join_heads(torch.cat(parts, 1)))
        return output

    def _dropout(self) -> float:
        return self.options.attention_dropout if self.training else 0.0

    def _absolute_heads(
        self, q: Tensor, k: Tensor, v: Tensor, queries: int, mask: Tensor, embeddings: list[Tensor]
    ) -> Tensor:
        """[B, absolute heads, queries, D]"""
        count = len(self.absolute)
        shape = q.shape[0], -1, -1  # an embedding of positions is the same for all rows
        layers = zip(self.absolute_query, self.absolute_key, embeddings, strict=True)
        extra = [(to_query(e[:, -queries:]).expand(shape), to_key(e).expand(shape)) for to_query, to_key, e in layers]
        q = q[:, :count] + torch.stack([pair[0] for pair in extra], 1)
        k = k[:, :count] + torch.stack([pair[1] for pair in extra], 1)
        return fused_attention(q, k, v[:, :count], mask[:, None, None, :], self._dropout())

    def _relative_head(self, number: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, times: Tensor) -> Tensor:
        """q [B, Q, D], k and v [B, T, D] -> [B, Q, D]"""
        options, kind = self.options, self.relative[number]
        layer = self.relative_key[number]
        assert isinstance(layer, nn.Linear)
        coefficients = (q + self.relative_bias[number]) @ layer.weight  # [B, Q, H]
        queries, scale = q.shape[1], q.shape[2] ** -0.5
        if kind == "s":
            pair = sinusoids(times, options.hidden_units, options.time_unit_divide, options.freq)
            sin, cos = (part.to(q.dtype) for part in pair)
            q = torch.cat([q, difference_queries(coefficients, sin[:, -queries:], cos[:, -queries:])], 2)
            k = torch.cat([k, sin, cos], 2)
            return fused_attention(q, k, v, mask[:, None, :], self._dropout(), scale=scale)
        grid: Tensor = getattr(self, f"grid_{kind}").to(q.dtype)
        attend = timed_attention(grid, options.time_unit_divide, scale, self._dropout())
        rows = rows_at_once(queries, k.shape[1])
        return by_rows(attend, rows, q, k, v, coefficients, times[:, -queries:], times, mask)


class MeantimeBlock(nn.Module):
    """x + MixedAttention(LN(x)), then x + FeedForward(LN(x))."""

    def __init__(self, options: MeantimeOptions) -> None:
        super().__init__()
        width = options.hidden_units
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MixedAttention(options)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, options.inner_factor * width, options.dropout)
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor, queries: int, mask: Tensor, embeddings: list[Tensor], times: Tensor | None) -> Tensor:
        """[B, T, H] -> [B, queries, H], of the last positions."""
        mixed = self.attention(self.attention_norm(x), queries, mask, embeddings, times)
        x = x[:, -queries:] + self.dropout(mixed)
        output: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return output


class Meantime(ClozeModel):
    """Item embeddings enter the blocks unchanged; position and time enter in the attention heads."""

    code = "meantime"
    Options = MeantimeOptions
    onnx_refusal = "its heads attend in different ways, and ONNX treats all heads alike"
    options: MeantimeOptions

    @classmethod
    def required(cls, options: Any) -> frozenset[str]:
        absolute, relative = options.kinds
        return frozenset({"timestamps"}) if relative or "d" in absolute else frozenset()

    @classmethod
    def knows_request_time(cls, options: Any) -> bool:
        return "timestamps" in cls.required(options)

    def __init__(self, options: MeantimeOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width = options.hidden_units
        self.dropout = Dropout(options.dropout)
        self.embeddings = nn.ModuleList(self._embedding(kind) for kind in options.kinds[0])
        self.blocks = nn.ModuleList(MeantimeBlock(options) for _ in range(options.num_blocks))
        self.norm = nn.LayerNorm(width)
        init_parameters(self)

    def _embedding(self, kind: str) -> nn.Module:
        width, dimensions = self.options.hidden_units, self.dimensions
        if kind == "p":
            return PositionEmbedding(dimensions.max_len, width)
        return nn.Embedding(max(1, dimensions.num_days) if kind == "d" else 1, width)

    def _embedded(self, length: int, times: Tensor | None) -> list[Tensor]:
        """[B or 1, T, H] of each absolute head. Days before or after those of training count as the nearest of them."""
        embedded = []
        for kind, table in zip(self.options.kinds[0], self.embeddings, strict=True):
            if kind == "p":
                of_head = table(length)[None]
            elif kind == "d":
                assert times is not None
                day = times // SECONDS_OF_DAY - self.dimensions.first_day
                of_head = table(day.clamp(0, max(0, self.dimensions.num_days - 1)))
            else:
                of_head = cast(nn.Embedding, table).weight.expand(1, length, -1)
            embedded.append(self.dropout(of_head))
        return embedded

    def _run(self, embedded: Tensor, real: Tensor, times: Tensor | None, last_only: bool) -> Tensor:
        mask = open_keys(real)
        absolute = self._embedded(embedded.shape[1], times)
        x = self.dropout(embedded)
        for number, block in enumerate(self.blocks):
            ends = last_only and number + 1 == len(self.blocks)
            x = block(x, 1 if ends else x.shape[1], mask, absolute, times)
        normed: Tensor = self.norm(x)
        return normed

    def states(self, embedded: Tensor, real: Tensor, times: Tensor | None) -> Tensor:
        return self._run(embedded, real, times, last_only=False)

    def last_states(self, embedded: Tensor, real: Tensor, times: Tensor | None) -> Tensor:
        return self._run(embedded, real, times, last_only=True).squeeze(1)  # [B, 1, H] -> [B, H]
