"""Attention with time kernels (MEANTIME), without a vector for each pair of items.

A relative head adds (q_i + b) . W r(t_i - t_j) to its scores, r being H functions of the difference of two times. The
sinusoid of a difference is a product of sinusoids, so there the term is a dot product of a vector of item i with one
of item j. Of the others, functions of |t_i - t_j| alone, each query's term is tabled over a grid of differences, from
which pairs pick theirs, linearly interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from models.layers.dropout import drop

GRID = 1024  # differences in the table
LONGEST = 2.0**31  # seconds, the largest difference in the table
ENTRIES = 4_000_000  # entries of attention weights or tables in memory at once, about


def frequencies(count: int, step: int, width: int, freq: float) -> Tensor:
    """1 / freq ** (f / width) for f = 0, step, 2 step, ...: float64 [count]."""
    return freq ** -(torch.arange(count, dtype=torch.float64) * step / width)


def sinusoids(times: Tensor, width: int, unit: float, freq: float) -> tuple[Tensor, Tensor]:
    """sin and cos of times / unit at each frequency: float64 [B, T, width / 2] each, of int64 seconds [B, T]."""
    since = (times - times.amax(1, keepdim=True)).double() / unit  # smaller numbers, the same differences
    phase = since[:, :, None] * frequencies(width // 2, 2, width, freq).to(times.device)
    return phase.sin(), phase.cos()


def difference_queries(coefficients: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """What to multiply with the keys [sin(w t_j), cos(w t_j)]: [B, T, H].

    coefficients [B, T, H] are of [sin(w d), cos(w d)], d = t_i - t_j, where sin(w d) = sin(w t_i) cos(w t_j) -
    cos(w t_i) sin(w t_j) and cos(w d) = cos(w t_i) cos(w t_j) + sin(w t_i) sin(w t_j).
    """
    of_sin, of_cos = coefficients.chunk(2, -1)
    return torch.cat([of_cos * sin - of_sin * cos, of_sin * sin + of_cos * cos], -1)


def kernel_grid(kind: str, width: int, unit: float, freq: float) -> Tensor:
    """The kernel's functions at the grid's differences: float64 [GRID, width].

    e: exp(-d w_f), l: log(1 + d w_f) of d = |seconds| / unit; the grid is even in log(1 + d).
    """
    differences = torch.linspace(0, 1, GRID, dtype=torch.float64).mul(math.log1p(LONGEST / unit)).expm1()
    scaled = differences[:, None] * frequencies(width, 1, width, freq)
    return (-scaled).exp() if kind == "e" else scaled.log1p()


def grid_place(query_times: Tensor, times: Tensor, unit: float) -> tuple[Tensor, Tensor]:
    """Where differences lie in the grid: (row below int64, share of the row above float32), [B, Q, T] each."""
    differences = (query_times[:, :, None] - times[:, None, :]).abs().double() / unit
    place = differences.log1p_().mul_((GRID - 1) / math.log1p(LONGEST / unit)).float()
    below = place.floor().clamp_max_(GRID - 2)
    return below.long(), (place - below).clamp_max_(1)


def timed_attention(
    grid: Tensor, unit: float, scale: float, dropout: float
) -> Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]:
    """One head's attention with a tabled kernel, for `by_rows`: softmax over keys of (q k^T + table) * scale, times v.

    The function takes q [B, Q, D], k and v [B, T, D], coefficients [B, Q, H] of the kernel's functions, times int64
    [B, Q] and [B, T], and bool [B, T] where attention may go; it returns [B, Q, D].
    """

    def attend(
        q: Tensor, k: Tensor, v: Tensor, coefficients: Tensor, query_times: Tensor, times: Tensor, mask: Tensor
    ) -> Tensor:
        table = coefficients @ grid.T  # [B, Q, GRID]
        below, share = grid_place(query_times, times, unit)
        low, high = table.gather(2, below), table.gather(2, below + 1)  # [B, Q, T]
        scores = torch.baddbmm(torch.lerp(low, high, share.to(low.dtype)), q, k.transpose(1, 2)) * scale
        weights = scores.masked_fill(~mask[:, None, :], -torch.inf).softmax(2)
        return drop(weights, dropout) @ v

    return attend


def rows_at_once(queries: int, keys: int) -> int:
    """Rows of a batch whose tables and weights fit into ENTRIES."""
    return max(1, ENTRIES // (max(queries, 1) * max(keys, GRID)))
