"""A transformer decoder that attends to encoded states, for all steps at once or one step after another."""

from __future__ import annotations

from typing import cast

from torch import Tensor, cat, nn

from models.layers.attention import BlockForm, SelfAttention
from models.layers.dropout import Dropout
from models.layers.feed_forward import FeedForward

KeysValues = tuple[Tensor, Tensor]  # [rows, heads, T, D] each


class DecoderBlock(nn.Module):
    """x + Attention(LN(x)) of the steps up to each, x + Attention(LN(x), states), x + FeedForward(LN(x))."""

    def __init__(self, form: BlockForm) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(form.width) for _ in range(3))
        self.self_attention = SelfAttention(form.width, form.heads, form.attention_dropout)
        self.cross_attention = SelfAttention(form.width, form.heads, form.attention_dropout)
        self.feed_forward = FeedForward(form.width, form.inner, form.dropout, form.activation)
        self.dropout = Dropout(form.dropout)

    def forward(
        self, x: Tensor, states: KeysValues, mask: Tensor, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        """The output [B, Q, S, H] and the keys and values of all steps so far; arguments as in `Decoder`."""
        normed = self.norms[0](x).flatten(0, 1)  # [B, Q, S, H] -> [B * Q, S, H]
        keys, values = self.self_attention.keys_values(normed)
        if past is not None:
            keys, values = cat([past[0], keys], 2), cat([past[1], values], 2)
        mixed = self.self_attention.attend(normed, keys, values, causal=past is None)
        x = x + self.dropout(mixed.view_as(x))
        normed = self.norms[1](x).flatten(1, 2)  # [B, Q, S, H] -> [B, Q * S, H]
        x = x + self.dropout(self.cross_attention.attend(normed, *states, mask).view_as(x))
        return x + self.dropout(self.feed_forward(self.norms[2](x))), (keys, values)


class Decoder(nn.Module):
    """Decoder blocks, and a layer norm at the end.

    Each row of encoded states is decoded Q times (Q targets, or the beams of a search), S steps each.
    """

    def __init__(self, blocks: int, form: BlockForm) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DecoderBlock(form) for _ in range(blocks))
        self.norm = nn.LayerNorm(form.width)

    def keys_values(self, states: Tensor) -> list[KeysValues]:
        """What the blocks attend to of encoded states [B, T, H]."""
        return [cast(DecoderBlock, block).cross_attention.keys_values(states) for block in self.blocks]

    def forward(
        self, x: Tensor, states: list[KeysValues], mask: Tensor, past: list[KeysValues] | None = None
    ) -> tuple[Tensor, list[KeysValues]]:
        """Decode x [B, Q, S, H], all steps (past None) or the one after those of `past`: ([B, Q, S, H], new past).

        states : of `keys_values`
        mask : bool, broadcastable to [B, heads, Q * S, T], which encoded states may be attended to
        past : the keys and values of the steps before, [B * Q, heads, steps, D] each
        """
        kept = []
        for number, block in enumerate(self.blocks):
            x, new = block(x, states[number], mask, None if past is None else past[number])
            kept.append(new)
        normed: Tensor = self.norm(x)
        return normed, kept


def take_beams(past: list[KeysValues], beams: Tensor) -> list[KeysValues]:
    """The keys and values of the beams int64 [B, W] of each row, [B * W, heads, steps, D] each."""
    rows = len(beams)

    def taken(x: Tensor) -> Tensor:
        by_row = x.view(rows, -1, *x.shape[1:])  # [B * Q, ...] -> [B, Q, ...]
        index = beams[:, :, None, None, None].expand(-1, -1, *by_row.shape[2:])
        return by_row.gather(1, index).flatten(0, 1)

    return [(taken(keys), taken(values)) for keys, values in past]
