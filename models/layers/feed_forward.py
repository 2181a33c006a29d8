"""The position-wise network of a transformer block."""

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.dropout import Dropout


class FeedForward(nn.Module):
    """W2 dropout(GELU(W1 x)): [..., H] -> [..., inner] -> [..., H]."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.down(self.dropout(F.gelu(self.up(x))))
        return output
