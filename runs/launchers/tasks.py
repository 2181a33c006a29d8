"""Tasks and their results, and the serial launcher."""

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
    """A module-level function and its arguments, picklable for other processes; the name appears in the log.

    The function must raise KeyboardInterrupt after Ctrl-C, even if it has shut down cleanly.
    """

    name: str
    function: Callable[..., T]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Result(Generic[T]):
    """The outcome of a task: its value, its error message, or neither if it was interrupted."""

    task: Task[T]
    value: T | None = None
    error: str | None = None
    interrupted: bool = False


def run_task(task: Task[T], threads: int) -> Result[T]:
    """Run a task in this process, with `threads` CPU threads whatever the previous task had set."""
    torch.set_num_threads(threads)
    try:
        return Result(task, task.function(*task.arguments))
    except KeyboardInterrupt:
        return Result(task, interrupted=True)
    except Exception as error:  # a failing task, out of memory say, must not stop the others
        if is_user_facing(error):
            log.error("%s failed: %s", task.name, error)
            return Result(task, error=str(error))
        log.exception("%s failed", task.name)
        return Result(task, error=f"{type(error).__name__}: {error}")


def launch_serial(tasks: Iterable[Task[T]]) -> Iterator[Result[T]]:
    """Run one task after the other in this process."""
    threads = torch.get_num_threads()
    for task in tasks:
        result = run_task(task, threads)
        yield result
        if result.interrupted:
            raise KeyboardInterrupt
