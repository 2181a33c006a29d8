"""Multi-head self-attention and the transformer block around it, by PyTorch's fused kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.dropout import Dropout
from models.layers.feed_forward import Activation, FeedForward
from models.layers.padding import at_last

Residual = Literal["plain", "normed"]
Norm = Literal["layer", "rms"]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, T, H] -> [B, heads, T, H / heads]"""
    return x.view(*x.shape[:-1], heads, -1).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[B, heads, T, D] -> [B, T, heads * D]"""
    return x.transpose(1, 2).flatten(2)


def open_keys(real: Tensor) -> Tensor:
    """Which positions may be attended to: bool [B, T], `real` where that is True anywhere in a row. A row of only PAD
    attends to all of itself, for a softmax over nothing is NaN; nothing of such a row counts anyway."""
    return real | ~real.any(1, keepdim=True)


def key_mask(items: Tensor) -> Tensor:
    """`open_keys` of items, or of bool, [B, T], for all heads and queries: bool [B, 1, 1, T]."""
    return open_keys(items > 0)[:, None, None, :]


def fused_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    dropout: float,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """torch's scaled dot product attention, which stays float32 on the CPU.

    Where torch may round the factors of products (`set_float32_matmul_precision`), its kernel for the CPU converts its
    small blocks over and over, and takes several times longer.
    """
    precision = torch.get_float32_matmul_precision()
    if q.device.type != "cpu" or precision == "highest":
        return F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scale)
    torch.set_float32_matmul_precision("highest")
    try:
        mixed = F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scale)
    finally:
        torch.set_float32_matmul_precision(precision)
    if mixed.grad_fn is not None:
        mixed.grad_fn.register_prehook(lambda *_: torch.set_float32_matmul_precision("highest"))
        mixed.grad_fn.register_hook(lambda *_: torch.set_float32_matmul_precision(precision))
    return mixed


class SelfAttention(nn.Module):
    """softmax(Q K^T / sqrt(D)) V for each of `heads`, joined and projected (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, queries: Tensor, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """queries [B, Q, H] attend to x [B, T, H]: [B, Q, H].

        mask : bool, broadcastable to [B, heads, Q, T], True where attention may go
        causal : query i attends to x[:, : i + 1] (Q == T, no mask)
        """
        if queries is x:
            q, k, v = (split_heads(part, self.heads) for part in self.query_key_value(x).chunk(3, -1))
            return self._mix(q, k, v, mask, causal)
        return self.attend(queries, *self.keys_values(x), mask, causal)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values of x [B, T, H]: [B, heads, T, D] each."""
        width = x.shape[2]
        weight, bias = self.query_key_value.weight[width:], self.query_key_value.bias[width:]
        keys, values = F.linear(x, weight, bias).chunk(2, -1)
        return split_heads(keys, self.heads), split_heads(values, self.heads)

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """As `forward`, to what `keys_values` gave."""
        width = queries.shape[2]
        weight, bias = self.query_key_value.weight[:width], self.query_key_value.bias[:width]
        return self._mix(split_heads(F.linear(queries, weight, bias), self.heads), keys, values, mask, causal)

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        mixed = fused_attention(q, k, v, mask, dropout, causal)  # [B, heads, Q, D]
        output: Tensor = self.output(join_heads(mixed))
        return output


@dataclass(frozen=True)
class BlockForm:
    """The sizes and the parts of a transformer block.

    Attributes
    ----------
    width, heads, inner : units of the states, attention heads, units of the feed-forward layer
    dropout, attention_dropout : of each layer's output, of the attention weights
    residual : what a layer's output is added to; see `TransformerBlock`
    gates : multiply each layer's output by sigmoid(W x + b) of what the layer normalises
    activation, norm : of the feed-forward layer; before each layer
    """

    width: int
    heads: int
    inner: int
    dropout: float
    attention_dropout: float
    residual: Residual = "plain"
    gates: bool = False
    activation: Activation = "gelu"
    norm: Norm = "layer"


def make_norm(width: int, kind: Norm) -> nn.Module:
    """Layer norm, or RMS norm: x / sqrt(mean(x^2)) times a learned scale (Zhang & Sennrich 2019)."""
    return nn.LayerNorm(width) if kind == "layer" else nn.RMSNorm(width)


class TransformerBlock(nn.Module):
    """x + Attention(LN(x)), then x + FeedForward(LN(x)): the pre-norm order, which trains without a warm-up.

    With the residual `normed`, LN(x) + Attention(LN(x), x), then LN(x) + FeedForward(LN(x)): only queries are
    normalised, and what is added to is normalised too, as SASRec's published code has it. With gates,
    x + sigmoid(W x + b) * Attention(LN(x)), and likewise for the feed-forward layer (LiGR, Borisyuk et al. 2025).
    """

    def __init__(self, form: BlockForm) -> None:
        super().__init__()
        self.attention_norm = make_norm(form.width, form.norm)
        self.attention = SelfAttention(form.width, form.heads, form.attention_dropout)
        self.feed_forward_norm = make_norm(form.width, form.norm)
        self.feed_forward = FeedForward(form.width, form.inner, form.dropout, form.activation)
        self.dropout = Dropout(form.dropout)
        self.normed_residual = form.residual == "normed"
        self.attention_gate = nn.Linear(form.width, form.width) if form.gates else None
        self.feed_forward_gate = nn.Linear(form.width, form.width) if form.gates else None

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """[B, T, H] -> [B, T, H]; mask and causal as `SelfAttention` has them."""
        normed = self.attention_norm(x)
        attended, base = (x, normed) if self.normed_residual else (normed, x)
        mixed = self.dropout(self.attention(normed, attended, mask, causal))
        return self._fed_forward(base + _gated(self.attention_gate, x, mixed))

    def last_only(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """The output at position lengths - 1 of each row: [B, T, H] -> [B, 1, H], at a fraction of the work."""
        normed = self.attention_norm(x)
        attended, base = (x, normed) if self.normed_residual else (normed, x)
        mixed = self.attention(at_last(normed, lengths), attended, mask)
        return self._fed_forward(at_last(base, lengths) + _gated(self.attention_gate, at_last(x, lengths), mixed))

    def _fed_forward(self, x: Tensor) -> Tensor:
        normed = self.feed_forward_norm(x)
        fed = self.dropout(self.feed_forward(normed))
        output: Tensor = (normed if self.normed_residual else x) + _gated(self.feed_forward_gate, x, fed)
        return output


def _gated(gate: nn.Module | None, x: Tensor, output: Tensor) -> Tensor:
    """A layer's output, times the sigmoid of its gate at x if there is one."""
    return output if gate is None else gate(x).sigmoid() * output


class Transformer(nn.Module):
    """Blocks, and a norm at the end."""

    def __init__(self, blocks: int, form: BlockForm) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TransformerBlock(form) for _ in range(blocks))
        self.norm = make_norm(form.width, form.norm)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """[B, T, H] -> [B, T, H]"""
        for block in self.blocks:
            x = block(x, mask, causal)
        normed: Tensor = self.norm(x)
        return normed

    def last_only(self, x: Tensor, lengths: Tensor, mask: Tensor, causal: bool = False) -> Tensor:
        """The output at position lengths - 1 of each row: [B, T, H] -> [B, H].

        mask : bool [B, 1, 1, T], the keys that the last position attends to, and every position if not causal
        """
        for block in self.blocks[:-1]:
            x = block(x, None if causal else mask, causal)
        last = self.blocks[-1]
        assert isinstance(last, TransformerBlock)
        x = last.last_only(x, lengths, mask)
        normed: Tensor = self.norm(x).squeeze(1)  # [B, 1, H] -> [B, H]
        return normed


def sequence_lengths(items: Tensor) -> Tensor:
    """For left-padded sequences the last position is the last column: int64 [B], all L."""
    return torch.full((items.shape[0],), items.shape[1], dtype=torch.int64, device=items.device)
