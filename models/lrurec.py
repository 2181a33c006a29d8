"""LRURec (Yue et al. 2024): linear recurrent units, parallel in training and one step an item in serving."""

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
from models.layers.linear_recurrence import linear_recurrence
from models.next_item import NextItemModel, NextItemOptions

RADIUS = 0.8, 0.99  # of the decays at first


class LRURecOptions(NextItemOptions):
    """Options of model `lrurec`."""

    num_blocks: int = Field(2, ge=1, description="blocks of a recurrence and a feed-forward layer")
    inner_factor: int = Field(4, ge=1, description="width of the feed-forward layers, in hidden_units")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings and of each layer's output")
    item_bias: bool = Field(True, description=NextItemOptions.model_fields["item_bias"].description)


class LinearRecurrentUnit(nn.Module):
    """h_t = decay * h_(t-1) + gamma * (B x_t + b); y_t = Re(C h_t) + c (Orvieto et al. 2023).

    decay = exp(-exp(nu) + i exp(theta)), complex [D] with D = 2 H; gamma, nu and theta are learned as logarithms.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        units = 2 * width
        low, high = RADIUS
        radius = (torch.rand(units) * (high**2 - low**2) + low**2).sqrt()  # even on the ring's area
        self.log_nu = nn.Parameter((-radius.log()).log())
        self.log_theta = nn.Parameter((torch.rand(units) * 2 * math.pi).log())
        self.log_gamma = nn.Parameter((1 - radius**2).sqrt().log())
        self.input = nn.Linear(width, 2 * units)  # rows: real and imaginary part of each unit in turn
        self.output = nn.Linear(2 * units, width)

    def decay(self) -> Tensor:
        """Complex [D]"""
        return torch.polar((-self.log_nu.exp()).exp(), self.log_theta.exp())

    def inputs(self, x: Tensor) -> Tensor:
        """gamma * (B x + b): [..., H] -> complex [..., D]"""
        gamma = self.log_gamma.exp().repeat_interleave(2)  # scaling the weights is less work than scaling the outputs
        scaled = F.linear(x, self.input.weight * gamma[:, None], self.input.bias * gamma)
        return torch.view_as_complex(scaled.view(*x.shape[:-1], -1, 2))

    def outputs(self, states: Tensor) -> Tensor:
        """Re(C h) + c: complex [..., D] -> [..., H]"""
        output: Tensor = self.output(torch.view_as_real(states).flatten(-2))
        return output


class LRUBlock(nn.Module):
    """x = LN(x + dropout(LRU(x))), then LN(x + dropout(FeedForward(x)))."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.unit = LinearRecurrentUnit(width)
        self.add = AddNorm(width, dropout)
        self.feed_forward = PostNormFeedForward(width, inner, dropout, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, H] -> [T, B, H], left-aligned."""
        states = linear_recurrence(self.unit.inputs(x), self.unit.decay())
        output: Tensor = self.feed_forward(self.add(x, self.unit.outputs(states)))
        return output

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One position: the output [B, H] and the new state, of x [B, H] and the state complex [B, D] before it."""
        state = self.unit.decay() * state + self.unit.inputs(x)
        return self.feed_forward(self.add(x, self.unit.outputs(state))), state


class LRURec(NextItemModel):
    """x = LN(dropout(E[items])), then post-norm blocks; logits of the next item are E @ x + bias."""

    code = "lrurec"
    Options = LRURecOptions
    onnx_refusal = "ONNX has no complex numbers"
    options: LRURecOptions

    def __init__(self, options: LRURecOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width = options.hidden_units
        self.dropout = Dropout(options.dropout)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            LRUBlock(width, options.inner_factor * width, options.dropout) for _ in range(options.num_blocks)
        )
        init_parameters(self)

    def states(self, items: Tensor, lengths: Tensor, times: Tensor | None, next_times: Tensor | None) -> Tensor:
        x: Tensor = self.norm(self.dropout(self.items(items.T)))  # [T, B, H]: a step of the recurrence is contiguous
        for block in self.blocks:
            x = block(x)
        return x.transpose(0, 1)

    def initial_state(self, users: int) -> Tensor:
        """The state of users without a history: complex [blocks, users, D]"""
        weight = self.items.weight
        kind = torch.complex128 if weight.dtype == torch.float64 else torch.complex64
        return torch.zeros(len(self.blocks), users, 2 * self.options.hidden_units, dtype=kind, device=weight.device)

    def step(self, items: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One new item of each user, int64 [B]: the hidden state [B, H] after it, and the users' new state.

        The work doesn't depend on how long the history is; `items.logits` of the hidden state scores what follows.
        """
        x: Tensor = self.norm(self.dropout(self.items(items)))
        new = []
        for block, before in zip(self.blocks, state, strict=True):
            assert isinstance(block, LRUBlock)
            x, after = block.step(x, before)
            new.append(after)
        return x, torch.stack(new)
