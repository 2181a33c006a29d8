"""The selective scan of state space models: a linear recurrence whose decay and input depend on the position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def selective_scan(x: Tensor, delta: Tensor, decay: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """h_t = exp(delta_t decay) h_(t-1) + delta_t x_t enter_t, from h_0 = 0; y_t = leave_t h_t (Gu & Dao 2023).

    All products are entry by entry over states h [B, D, N], and y sums over N. A step is a few operations for all users
    and units at once; the gradient recomputes the decays and keeps the states.

    Parameters
    ----------
    x, delta : [T, B, D]
    decay : [D, N], negative
    enter, leave : [T, B, N]

    Returns
    -------
    Tensor
        y [T, B, D]
    """
    if torch.is_grad_enabled():
        outputs: Tensor = _Scan.apply(x, delta, decay, enter, leave)  # type: ignore[no-untyped-call]
        return outputs
    state = x.new_zeros(*x.shape[1:], decay.shape[1])
    found = []
    for now, step, into, out in zip(x, delta, enter, leave, strict=True):
        state = _next_state(state, now, step, decay, into)
        found.append((state @ out[:, :, None]).squeeze(2))  # [B, D, N] x [B, N, 1]
    return torch.stack(found)


def _next_state(state: Tensor, x: Tensor, delta: Tensor, decay: Tensor, enter: Tensor) -> Tensor:
    """A step of x, delta [B, D] and enter [B, N]: [B, D, N] -> [B, D, N]"""
    kept = (delta[:, :, None] * decay).exp_()
    return kept.mul_(state).addcmul_((delta * x)[:, :, None], enter[:, None])


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, decay: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
        states = x.new_zeros(x.shape[0] + 1, *x.shape[1:], decay.shape[1])  # [T + 1, B, D, N], from h_0 on
        outputs = torch.empty_like(x)
        for t in range(x.shape[0]):
            states[t + 1] = _next_state(states[t], x[t], delta[t], decay, enter[t])
            outputs[t] = (states[t + 1] @ leave[t][:, :, None]).squeeze(2)
        ctx.save_for_backward(x, delta, decay, enter, leave, states)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, ...]:
        x, delta, decay, enter, leave, states = ctx.saved_tensors
        of_x, of_delta = torch.empty_like(x), torch.empty_like(delta)
        of_enter, of_leave = torch.empty_like(enter), torch.empty_like(leave)
        of_decay = torch.zeros_like(decay)
        gradient = torch.zeros_like(states[0])  # of h_t
        for t in range(x.shape[0] - 1, -1, -1):
            gradient.addcmul_(upstream[t][:, :, None], leave[t][:, None])
            of_leave[t] = (upstream[t][:, None] @ states[t + 1]).squeeze(1)  # [B, 1, D] x [B, D, N]
            entered = (gradient @ enter[t][:, :, None]).squeeze(2)  # of delta_t x_t: [B, D]
            of_enter[t] = ((delta[t] * x[t])[:, None] @ gradient).squeeze(1)
            gradient.mul_((delta[t][:, :, None] * decay).exp_())  # of h_(t-1)
            of_exponent = gradient * states[t]
            of_x[t] = entered * delta[t]
            of_delta[t] = entered * x[t] + torch.linalg.vecdot(of_exponent, decay)
            of_decay += torch.linalg.vecdot(of_exponent, delta[t][:, :, None], dim=0)
        return of_x, of_delta, of_decay, of_enter, of_leave
