"""Optimizer, learning rate, gradient accumulation and clipping."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.workers import Workers
from dataloaders import Batch
from models.base import Model
from trainers.options import GenericTrainerOptions
from trainers.randomness import Generators
from trainers.rowwise_adam import RowwiseAdam


def make_optimizer(parameters: Iterable[nn.Parameter], options: GenericTrainerOptions) -> torch.optim.Optimizer:
    """The optimizer that the options choose, in its fused version (one pass over the parameters)."""
    parameters = list(parameters)
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay, fused=True
        )
    if options.item_optimizer != "dense":
        return RowwiseAdam(
            parameters,
            adagrad=options.item_optimizer == "sparse_adagrad",
            lr=options.lr,
            betas=(0.9, options.adam_beta2),
            weight_decay=options.weight_decay,
            decoupled_weight_decay=options.optimizer == "adamw",
        )
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    return kind(
        parameters, lr=options.lr, betas=(0.9, options.adam_beta2), weight_decay=options.weight_decay, fused=True
    )


def learning_rate(options: GenericTrainerOptions, epoch: int) -> float:
    """The learning rate of an epoch (from 0): lr * gamma ** (epoch // decay_step)."""
    if options.decay_step is None:
        return options.lr
    return options.lr * options.gamma ** (epoch // options.decay_step)


def add_gradients(
    model: Model, batch: Batch, step: int, generator: torch.Generator, positions: int | None
) -> dict[str, Tensor]:
    """Add the gradient of the model's loss on a batch to the gradients of its parameters.

    If the loss is a mean over predictions, the batch may be processed in parts: the gradient is the same up to
    rounding, and less memory is needed.

    Parameters
    ----------
    step : optimizer steps taken before this one
    generator : for the model's random draws
    positions : approximate number of input positions in a part; None = the whole batch at once

    Returns
    -------
    dict[str, Tensor]
        The loss ("loss") and its named terms, scalars.
    """
    parts, shares = [batch], [1.0]
    total = None if positions is None else model.num_predictions(batch)
    if total and positions is not None:
        parts = batch.split(positions)
        shares = [(model.num_predictions(part) or 0) / total for part in parts]
    sums: dict[str, Tensor] = {}
    for part, share in zip(parts, shares, strict=True):
        returned = model.loss(part, step, generator)
        if not isinstance(returned, tuple):  # a mistake in a new model
            raise UserError(
                f"`loss` of model {model.code} returned a {type(returned).__name__}: it should return the loss and its "
                "named parts, `return loss, {}` if there are none"
            )
        loss, named = returned
        (loss * share).backward()  # type: ignore[no-untyped-call]
        for name, value in {"loss": loss.detach(), **named}.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value * share
    return sums


def add_gradients_of_pieces(
    model: Model, batch: Batch, step: int, generators: Generators, positions: int | None, pieces: int, workers: Workers
) -> dict[str, Tensor]:
    """As `add_gradients`, in pieces of the batch that the workers share. All workers get the same bits.

    Each piece has its own random draws, and the pieces' gradients are added up in order.

    Parameters
    ----------
    generators : the run's
    pieces : how many the batch is split into, at least the number of workers
    """
    total = model.num_predictions(batch)
    if total is None:
        raise UserError(f"model {model.code} can't be trained in parts of a batch: train it in a single process")
    parts = batch.dealt(pieces)
    owned = [number for number in range(len(parts)) if workers.owns(number)]
    flat: list[Tensor] = []  # of each piece: the gradients of the parameters, and the losses
    tables: list[list[Tensor]] = []  # of each piece: the sparse gradients of the item tables
    names: list[str] = []
    dense: list[nn.Parameter] = []
    sparse: list[nn.Parameter] = []
    for number in owned or [0]:  # a worker without a piece computes one for the names
        part = parts[number].to(generators.device)
        generators.draw_for(f"{step}/{number}")
        share = (model.num_predictions(part) or 0) / max(1, total) if owned else 0.0
        losses = add_gradients(model, part, step, generators.model, positions)
        gradients = {p: p.grad for p in model.parameters() if p.grad is not None}
        dense, sparse = ([p for p, g in gradients.items() if g.is_sparse == kind] for kind in (False, True))
        names, values = list(losses), [gradients[p].flatten() for p in dense] + [torch.stack(list(losses.values()))]
        flat.append(torch.cat(values) * share)
        tables.append([gradients[p].coalesce() * share for p in sparse])
        model.zero_grad()
    touched = [workers.union(torch.cat([of[place].indices()[0] for of in tables])) for place in range(len(sparse))]
    flat = [torch.cat([one, *map(_of_rows, of, touched)]) for one, of in zip(flat, tables, strict=True)]
    summed = workers.sum_in_order(flat, len(parts))
    first = 0
    for parameter in dense:
        parameter.grad = summed[first : first + parameter.numel()].view_as(parameter)
        first += parameter.numel()
    means = dict(zip(names, summed[first:], strict=False))
    first += len(names)
    for parameter, rows in zip(sparse, touched, strict=True):
        count = len(rows) * parameter.shape[1]
        gradient = summed[first : first + count].view(len(rows), -1)
        parameter.grad = torch.sparse_coo_tensor(
            rows[None], gradient, parameter.shape, is_coalesced=True, check_invariants=False
        )
        first += count
    return means


def _of_rows(gradient: Tensor, rows: Tensor) -> Tensor:
    """The values of a coalesced sparse gradient [V + 1, H] at these rows, ascending int64 [n], flat: [n * H]."""
    values = gradient.values().new_zeros(len(rows), gradient.shape[1])
    values[torch.searchsorted(rows, gradient.indices()[0])] = gradient.values()
    return values.flatten()


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale all gradients so that their joint L2 norm is at most `max_norm`. Returns the norm before clipping.

    On the CPU, gradients within the norm are not multiplied by 1: that pass would cost as much as an optimizer step.
    """
    parameters = [p for p in parameters if p.grad is not None]
    gradients = [_values(p) for p in parameters]
    if all(g.device.type == "cpu" for g in gradients):
        # by rows: a single sum over a large tensor is less exact, and runs in one thread
        gradients = [torch.linalg.vector_norm(g, dim=-1) for g in gradients]
    norm = torch.nn.utils.get_total_norm(gradients)
    if norm.device.type != "cpu" or norm.item() > max_norm:
        dense = [p for p in parameters if p.grad is not None and not p.grad.is_sparse]
        torch.nn.utils.clip_grads_with_norm_(dense, max_norm, norm)
        for table in parameters:
            if table.grad is not None and table.grad.is_sparse:
                _values(table).mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))  # as clip_grads_with_norm_
    return norm


def _values(parameter: nn.Parameter) -> Tensor:
    """The values of a gradient; of a sparse one those of the rows that it has, each once."""
    assert parameter.grad is not None
    if not parameter.grad.is_sparse:
        return parameter.grad
    parameter.grad = parameter.grad.coalesce()
    return parameter.grad.values()
