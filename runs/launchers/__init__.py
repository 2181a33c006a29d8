"""Many tasks, one after the other, in several processes, or on a Ray cluster: `launch` yields results as they end.

    for result in launch([Task("one", train_one, (request,))], options):
        ...

A task is a module-level function and its arguments. One that fails, or whose process dies, takes no other with it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

from common.errors import UserError
from runs.launchers.options import LaunchOptions
from runs.launchers.pool import launch_pool
from runs.launchers.tasks import Result, Task, launch_serial

__all__ = ["LaunchOptions", "Result", "Task", "launch"]
T = TypeVar("T")


def launch(tasks: Iterable[Task[T]], options: LaunchOptions) -> Iterator[Result[T]]:
    """Do the tasks as the options say; yields each one's result when it ends, in the order in which they end.

    Tasks are taken one by one, when there is room for another, after the results so far were yielded: a generator may
    make the next one by what they were. A task whose process dies is begun again, so it should go on where it was.

    Ctrl-C interrupts the running tasks and begins no other: their results are yielded, then KeyboardInterrupt raised.
    Raises UserError if the launcher can't be used here.
    """
    if options.launcher == "ray":
        if importlib.util.find_spec("ray") is None:
            raise UserError("launcher ray needs Ray: pip install -r requirements-ray.txt, or use --launcher local")
        if options.ray_address is None:  # a cluster of this machine alone need not be heard by others
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        from runs.launchers.on_ray import launch_ray  # noqa: PLC0415  (an optional requirement)

        yield from launch_ray(tasks, options)
    elif options.max_parallel is None or options.max_parallel == 1:
        yield from launch_serial(tasks)
    else:
        yield from launch_pool(tasks, options.max_parallel)
