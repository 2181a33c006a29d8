"""Evaluation by several workers: each ranks some of the batches, then all get the ranks of all batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from common.errors import DivergedError
from common.workers import Workers


@dataclass(frozen=True)
class Ranked:
    """The ranks of a batch of held-out users.

    Attributes
    ----------
    number : the batch's number, from 0
    rows : int64 [B], indices into the held-out set
    ranks : by name of the candidates, int64 [B, T]; 0 where a user has fewer targets
    top : int64 [B, K], the top-k lists; [B, 0] if they are not needed
    """

    number: int
    rows: Tensor
    ranks: dict[str, Tensor]
    top: Tensor


def exchanged(own: Iterable[Ranked], workers: Workers, batches: int, names: Iterable[str]) -> Iterator[Ranked]:
    """All `batches` in order, given the batches that this worker ranked.

    Raises DivergedError in all workers if ranking fails in one of them.
    """
    ranked: list[Ranked] = []
    failure: DivergedError | None = None
    try:
        ranked.extend(own)
    except DivergedError as error:
        failure = error
    if workers.any(failure is not None):
        raise failure or DivergedError("another worker found scores that can't be ranked")
    sizes = torch.zeros(batches, 3, dtype=torch.int64)  # users, targets, length of the lists
    for one in ranked:
        width = max(ranks.shape[1] for ranks in one.ranks.values())
        sizes[one.number] = torch.tensor([len(one.rows), width, one.top.shape[1]])
    sizes = workers.combined(sizes)
    users, targets, length = sizes.amax(0).tolist()
    rows = torch.zeros(batches, users, dtype=torch.int64)
    top = torch.zeros(batches, users, length, dtype=torch.int64)
    ranks = {name: torch.zeros(batches, users, targets, dtype=torch.int64) for name in names}
    for one in ranked:
        rows[one.number, : len(one.rows)] = one.rows.cpu()
        top[one.number, : len(one.rows)] = one.top.cpu()
        for name, values in one.ranks.items():
            ranks[name][one.number, : len(one.rows), : values.shape[1]] = values.cpu()
    rows, top = workers.combined(rows), workers.combined(top)
    ranks = {name: workers.combined(values) for name, values in ranks.items()}
    for number, (count, width, _) in enumerate(sizes.tolist()):
        of_batch = {name: values[number, :count, :width] for name, values in ranks.items()}
        yield Ranked(number, rows[number, :count], of_batch, top[number, :count])
