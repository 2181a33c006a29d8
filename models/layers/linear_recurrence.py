"""The recurrence h_t = decay * h_(t-1) + x_t of complex numbers, in parallel over the sequence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_recurrence(x: Tensor, decay: Tensor) -> Tensor:
    """h_t = decay * h_(t-1) + x_t from h_0 = 0, of complex x [T, B, D] and decay [D]: [T, B, D].

    The sequence is cut into about sqrt(T) chunks. A step within chunks is one operation for all of them, and then a
    step from chunk to chunk one for all positions of a chunk: about 2 sqrt(T) operations in all.
    """
    if torch.compiler.is_exporting():
        return by_kernel(x, decay)
    states: Tensor = _Recurrence.apply(x, decay)  # type: ignore[no-untyped-call]
    return states


def by_kernel(x: Tensor, decay: Tensor) -> Tensor:
    """The same as the sum over s <= t of decay^(t - s) x_s, by real operations that can be exported: O(T^2)."""
    place = torch.arange(x.shape[0], device=x.device)
    distance = place[:, None] - place  # [T, T], negative in the future
    steps = distance.clamp_min(0)
    radius = decay.abs()[:, None, None].pow(steps) * (distance >= 0)  # [D, T, T]
    angle = decay.angle()[:, None, None] * steps
    powers = radius * angle.cos(), radius * angle.sin()
    real, imaginary = (torch.view_as_real(x)[..., part].permute(2, 0, 1) for part in (0, 1))  # [D, T, B]
    sums = powers[0] @ real - powers[1] @ imaginary, powers[0] @ imaginary + powers[1] @ real
    return torch.view_as_complex(torch.stack(sums, -1).permute(1, 2, 0, 3).contiguous())


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, decay: Tensor) -> Tensor:
        states = _scan(x, decay, backwards=False)
        ctx.save_for_backward(states, decay)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        states, decay = ctx.saved_tensors
        gradient = _scan(upstream, decay.conj(), backwards=True)  # g_t = upstream_t + conj(decay) g_(t+1)
        return gradient, (states[:-1].conj() * gradient[1:]).sum((0, 1))


def _scan(x: Tensor, decay: Tensor, backwards: bool) -> Tensor:
    """The recurrence from the first to the last x [T, B, D], or backwards from the last to the first."""
    length = x.shape[0]
    chunk = max(1, math.isqrt(length))
    chunks = -(-length // chunk)
    whole = x.new_zeros(chunks * chunk, *x.shape[1:])
    whole[:length] = x  # the zeros at the end change nothing, in either direction
    parts = whole.view(chunks, chunk, *x.shape[1:])
    for here, before in _neighbours(chunk, backwards):
        parts[:, here].addcmul_(parts[:, before], decay)
    powers = decay ** torch.arange(1, chunk + 1, device=x.device)[:, None, None]  # [chunk, 1, D]
    if backwards:
        powers = powers.flip(0)
    carried = 0 if backwards else -1  # the position of a chunk that its neighbour goes on from
    for here, before in _neighbours(chunks, backwards):
        parts[here].addcmul_(parts[before, carried], powers)
    return whole[:length]


def _neighbours(count: int, backwards: bool) -> Iterable[tuple[int, int]]:
    """Each index but the first with the one before it, in order; backwards, each but the last with the one after."""
    if backwards:
        return ((index, index + 1) for index in range(count - 2, -1, -1))
    return ((index, index - 1) for index in range(1, count))
