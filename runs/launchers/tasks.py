"""A task, its result, and doing tasks one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from common.errors import is_user_facing

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Task(Generic[T]):
    """A module-level function and its arguments, which other processes can be sent; the name is for the log.

    The function raises KeyboardInterrupt if it was stopped by Ctrl-C, also if it ended in good order then.
    """

    name: str
    function: Callable[..., T]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Result(Generic[T]):
    """How a task ended: its value; or the text of its error; or neither, if it was interrupted."""

    task: Task[T]
    value: T | None = None
    error: str | None = None
    interrupted: bool = False


def do(task: Task[T], threads: int) -> Result[T]:
    """Do a task in this process. It begins with so many CPU threads, whatever the task before it chose."""
    torch.set_num_threads(threads)
    try:
        return Result(task, task.function(*task.arguments))
    except KeyboardInterrupt:
        return Result(task, interrupted=True)
    except Exception as error:  # a task that breaks, out of memory say, must not take the others with it
        if is_user_facing(error):
            log.error("%s failed: %s", task.name, error)
            return Result(task, error=str(error))
        log.exception("%s failed", task.name)
        return Result(task, error=f"{type(error).__name__}: {error}")


def launch_serial(tasks: Iterable[Task[T]]) -> Iterator[Result[T]]:
    """Do one task after the other in this process."""
    threads = torch.get_num_threads()
    for task in tasks:
        result = do(task, threads)
        yield result
        if result.interrupted:
            raise KeyboardInterrupt
