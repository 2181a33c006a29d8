"""The post-norm order of a block's layers: the norm comes after the sum (Vaswani et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from models.layers.dropout import Dropout
from models.layers.feed_forward import FeedForward


class AddNorm(nn.Module):
    """LN(x + dropout(y)) for a layer's input x and output y."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Twice [..., H] -> [..., H]"""
        normed: Tensor = self.norm(x + self.dropout(y))
        return normed


class PostNormFeedForward(nn.Module):
    """LN(x + dropout(FeedForward(x))); `inner_dropout` is that of the feed-forward layer's hidden units."""

    def __init__(self, width: int, inner: int, dropout: float, inner_dropout: float = 0.0) -> None:
        super().__init__()
        self.feed_forward = FeedForward(width, inner, inner_dropout)
        self.add = AddNorm(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[..., H] -> [..., H]"""
        output: Tensor = self.add(x, self.feed_forward(x))
        return output
