"""Optimizer, learning rate and gradient clipping."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from trainers.options import GenericTrainerOptions


def make_optimizer(parameters: Iterable[nn.Parameter], options: GenericTrainerOptions) -> torch.optim.Optimizer:
    """The optimizer that the options name, in its fused form (one pass over the parameters)."""
    parameters = list(parameters)
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay, fused=True
        )
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=options.lr, weight_decay=options.weight_decay, fused=True)


def learning_rate(options: GenericTrainerOptions, epoch: int) -> float:
    """The rate of epoch `epoch` (0 = the first): lr * gamma ** (epoch // decay_step)."""
    if options.decay_step is None:
        return options.lr
    return options.lr * options.gamma ** (epoch // options.decay_step)


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale all gradients so that their joint L2 norm is at most `max_norm`; returns the norm before.

    On the CPU nothing is touched where nothing is to be clipped: a pass over the gradients costs as much as a step.
    """
    parameters = [p for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if norm.device.type != "cpu" or norm.item() > max_norm:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
