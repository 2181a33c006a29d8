"""Run many tasks serially, in several processes, or on a Ray cluster; `launch` yields results as they complete.

    for result in launch([Task("one", train_one, (request,))], options):
        ...

A task is a module-level function and its arguments. One that fails, or whose process dies, doesn't affect others.
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
    """Run tasks with the chosen launcher.

    The next task is requested only when it can start and all results so far have been yielded, so a generator can
    choose it from those results. A task whose process dies is started again, so it should resume its own work.

    Ctrl-C interrupts the running tasks and starts no new ones.

    Parameters
    ----------
    tasks : iterable of Task
        The tasks; with several processes or Ray, they must be picklable.
    options : LaunchOptions
        Which launcher to use, and how many tasks to run at once.

    Yields
    ------
    Result
        The result of each task, in order of completion.

    Raises
    ------
    UserError
        If the launcher can't be used here.
    KeyboardInterrupt
        After Ctrl-C, once the results of the interrupted tasks have been yielded.
    """
    if options.launcher == "ray":
        if importlib.util.find_spec("ray") is None:
            raise UserError("launcher ray needs Ray: pip install -r requirements-ray.txt, or use --launcher local")
        if options.ray_address is None:  # a cluster on this machine alone stays invisible to others
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        from runs.launchers.on_ray import launch_ray  # noqa: PLC0415  (an optional requirement)

        yield from launch_ray(tasks, options)
    elif options.max_parallel is None or options.max_parallel == 1:
        yield from launch_serial(tasks)
    else:
        yield from launch_pool(tasks, options.max_parallel)
