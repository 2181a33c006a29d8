"""The processes that train one model together. `torchrun` starts them and tells each its rank."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


class WorkerLostError(RuntimeError):
    """Another worker ended or can't be reached."""


@dataclass(frozen=True)
class Workers:
    """One process's view of the workers. All of them make the same calls in the same order.

    Values are added up in an order that doesn't depend on the number of workers, so the bits of a sum don't either.

    Attributes
    ----------
    rank : the number of this process, from 0
    count : how many there are
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.rank == 0

    def owns(self, number: int) -> bool:
        """Whether the piece of work with this number is this process's."""
        return number % self.count == self.rank

    def from_leader(self, value: float) -> float:
        """The value that the leading process passed."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        _reached(lambda: dist.broadcast(shared, 0))
        return float(shared)

    def any(self, flag: bool) -> bool:
        """Whether a process passed True."""
        if self.count == 1:
            return flag
        highest = torch.tensor(float(flag))
        _reached(lambda: dist.all_reduce(highest, dist.ReduceOp.MAX))
        return bool(highest)

    def combined(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes. No entry may be nonzero in more than one of them."""
        if self.count > 1:
            values = values.contiguous()
            _reached(lambda: dist.all_reduce(values))
        return values

    def union(self, values: Tensor) -> Tensor:
        """The distinct values that a process passed, int64 [N], not negative; in ascending order."""
        values = torch.unique(values)
        if self.count > 1:
            longest = torch.tensor(len(values))
            _reached(lambda: dist.all_reduce(longest, dist.ReduceOp.MAX))
            padded = values.new_full((int(longest),), -1)
            padded[: len(values)] = values
            gathered = [torch.empty_like(padded) for _ in range(self.count)]
            _reached(lambda: dist.all_gather(gathered, padded))
            values = torch.unique(torch.cat(gathered))
            values = values[values >= 0]
        return values

    def sum_in_order(self, own: list[Tensor], pieces: int) -> Tensor:
        """The sum over all pieces of work, piece 0 first.

        Parameters
        ----------
        own : [N] each, the values of the pieces that this process owns, in order; at least one
        pieces : the number of pieces
        """
        if self.count > 1:
            most = -(-pieces // self.count)
            padded = torch.stack(own + [torch.zeros_like(own[0])] * (most - len(own)))  # [most, N]
            gathered = [torch.empty_like(padded) for _ in range(self.count)]
            _reached(lambda: dist.all_gather(gathered, padded))
            own = [gathered[number % self.count][number // self.count] for number in range(pieces)]
        total = own[0].clone()
        for values in own[1:pieces]:
            total += values
        return total


ALONE = Workers()


def is_launched() -> bool:
    """Whether `torchrun` started this process."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def join() -> Workers:
    """Meet the other processes that `torchrun` started; `ALONE` if it didn't start this one."""
    if not is_launched():
        return ALONE
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        _reached(lambda: dist.init_process_group(backend))
    return Workers(dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """Leave the group that `join` joined."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _reached(call: Callable[[], object]) -> None:
    try:
        call()
    except RuntimeError as error:  # gloo has no class of its own
        raise WorkerLostError(f"a worker ended or can't be reached: {error}") from error
