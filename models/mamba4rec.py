"""Mamba4Rec (Liu et al. 2024): selective state space blocks in place of attention."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from models.base import Dimensions
from models.layers.add_norm import AddNorm, PostNormFeedForward
from models.layers.dropout import Dropout
from models.layers.embedding import init_parameters
from models.layers.selective_scan import selective_scan
from models.next_item import NextItemModel, NextItemOptions

STEPS = 0.001, 0.1  # the range of delta at first


class Mamba4RecOptions(NextItemOptions):
    """Options of model `mamba4rec`."""

    num_blocks: int = Field(1, ge=1, description="blocks of a state space layer and a feed-forward layer")
    state_size: int = Field(32, ge=1, description="states of each unit of a state space layer: time grows with it")
    expansion: int = Field(2, ge=1, description="width of the state space layers, in hidden_units")
    kernel_size: int = Field(4, ge=1, description="items that the convolution before the scan sees")
    inner_factor: int = Field(4, ge=1, description="width of the feed-forward layers, in hidden_units")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings and of each layer's output")


class SelectiveLayer(nn.Module):
    """x, z = W x; x = SiLU(conv(x)); y = scan(x) + skip * x; W' (y * SiLU(z)) (Mamba, Gu & Dao 2023).

    delta = softplus(W2 W1 x + b), enter and leave of `selective_scan` depend on x linearly, decay = -exp(log_decay).
    """

    def __init__(self, options: Mamba4RecOptions) -> None:
        super().__init__()
        width, states = options.hidden_units, options.state_size
        units = options.expansion * width
        self.rank = math.ceil(width / 16)
        self.states = states
        self.input = nn.Linear(width, 2 * units, bias=False)
        self.convolution = nn.Conv1d(units, units, options.kernel_size, groups=units)
        self.select = nn.Linear(units, self.rank + 2 * states, bias=False)
        self.delta = nn.Linear(self.rank, units)
        self.log_decay = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(units, 1))
        self.skip = nn.Parameter(torch.ones(units))
        self.output = nn.Linear(units, width, bias=False)

    def init_steps(self) -> None:
        """Biases with which delta is spread evenly, by its logarithm, over `STEPS`."""
        low, high = (math.log(step) for step in STEPS)
        delta = (torch.rand(len(self.skip)) * (high - low) + low).exp()
        nn.init.uniform_(self.delta.weight, -(self.rank**-0.5), self.rank**-0.5)
        with torch.no_grad():
            self.delta.bias.copy_(delta.expm1().log())  # the inverse of softplus

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, H] -> [T, B, H], left-aligned."""
        raised, gate = self.input(x).chunk(2, -1)  # [T, B, units]
        padded = F.pad(raised.permute(1, 2, 0), (self.convolution.kernel_size[0] - 1, 0))  # [B, units, T + k - 1]
        mixed = F.silu(self.convolution(padded)).permute(2, 0, 1).contiguous()  # [T, B, units]
        low_rank, enter, leave = torch.split(self.select(mixed), [self.rank, self.states, self.states], -1)
        scanned = selective_scan(mixed, F.softplus(self.delta(low_rank)), -self.log_decay.exp(), enter, leave)
        output: Tensor = self.output((scanned + self.skip * mixed) * F.silu(gate))
        return output


class Mamba4RecBlock(nn.Module):
    """x = LN(x + dropout(Selective(x))), then LN(x + dropout(FeedForward(x)))."""

    def __init__(self, options: Mamba4RecOptions) -> None:
        super().__init__()
        width = options.hidden_units
        self.layer = SelectiveLayer(options)
        self.add = AddNorm(width, options.dropout)
        self.feed_forward = PostNormFeedForward(width, options.inner_factor * width, options.dropout, options.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, H] -> [T, B, H]"""
        output: Tensor = self.feed_forward(self.add(x, self.layer(x)))
        return output


class Mamba4Rec(NextItemModel):
    """x = LN(dropout(E[items])), then post-norm blocks; logits of the next item are E @ x."""

    code = "mamba4rec"
    Options = Mamba4RecOptions
    options: Mamba4RecOptions

    def __init__(self, options: Mamba4RecOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.dropout = Dropout(options.dropout)
        self.norm = nn.LayerNorm(options.hidden_units)
        self.blocks = nn.ModuleList(Mamba4RecBlock(options) for _ in range(options.num_blocks))
        init_parameters(self)
        for part in self.modules():
            if isinstance(part, SelectiveLayer):
                part.init_steps()

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        x: Tensor = self.norm(self.dropout(self.items(items.T)))  # [T, B, H]: a step of the scan is contiguous
        for block in self.blocks:
            x = block(x)
        return x.transpose(0, 1)
