"""Gradients, their clipping, the optimizer and its learning rate."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dataloaders import Batch
from models.base import Model
from trainers.options import GenericTrainerOptions


def make_optimizer(parameters: Iterable[nn.Parameter], options: GenericTrainerOptions) -> torch.optim.Optimizer:
    """The optimizer that the options name, in its fused form (one pass over the parameters)."""
    parameters = list(parameters)
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay, fused=True
        )
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    return kind(
        parameters, lr=options.lr, betas=(0.9, options.adam_beta2), weight_decay=options.weight_decay, fused=True
    )


def learning_rate(options: GenericTrainerOptions, epoch: int) -> float:
    """The rate of epoch `epoch` (0 = the first): lr * gamma ** (epoch // decay_step)."""
    if options.decay_step is None:
        return options.lr
    return options.lr * options.gamma ** (epoch // options.decay_step)


def add_gradients(
    model: Model, batch: Batch, step: int, generator: torch.Generator, positions: int | None
) -> dict[str, Tensor]:
    """Add the gradient of the model's loss on a batch to its parameters' gradients; gives back the loss and its parts.

    Where the model's loss is a mean over predictions, the batch is taken in parts of about `positions` input positions
    (None = whole): the same gradient up to rounding, in less memory.
    """
    parts, shares = [batch], [1.0]
    total = None if positions is None else model.num_predictions(batch)
    if total and positions is not None:
        parts = batch.split(positions)
        shares = [(model.num_predictions(part) or 0) / total for part in parts]
    sums: dict[str, Tensor] = {}
    for part, share in zip(parts, shares, strict=True):
        loss, named = model.loss(part, step, generator)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        for name, value in {"loss": loss.detach(), **named}.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value * share
    return sums


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale all gradients so that their joint L2 norm is at most `max_norm`; returns the norm before.

    On the CPU nothing is touched where nothing is to be clipped: a pass over the gradients costs as much as a step.
    """
    parameters = [p for p in parameters if p.grad is not None]
    gradients = [p.grad for p in parameters if p.grad is not None]
    if all(g.device.type == "cpu" for g in gradients):
        # one sum over a large tensor is neither shared out among a CPU's threads nor as exact as by rows
        gradients = [torch.linalg.vector_norm(g, dim=-1) for g in gradients]
    norm = torch.nn.utils.get_total_norm(gradients)
    if norm.device.type != "cpu" or norm.item() > max_norm:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
