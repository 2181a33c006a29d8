"""Run tasks on a Ray cluster. All nodes must share the folders that tasks read and write, under the same path.

A task whose process or node dies is retried, possibly on another node, so it should resume its own work.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # read on import; runs log similar lines, which must all be shown
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import RayError, TaskCancelledError
from ray.job_config import JobConfig

from common.errors import UserError
from common.interrupts import interrupts_go_to
from runs.launchers.options import LaunchOptions
from runs.launchers.tasks import Result, Task, run_task
from runs.logs import log_to_screen

log = logging.getLogger(__name__)
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30
STORE_BYTES = 80 * 2**20  # object store of a cluster started here; it holds only small results
RETRIES = 3  # how often Ray retries a task whose process or node died
CONNECT_SECONDS = 10.0
POLL_SECONDS = 0.5  # how often to look for Ctrl-C


def launch_ray(tasks: Iterable[Task[T]], options: LaunchOptions) -> Iterator[Result[T]]:
    """Run tasks on the cluster at `ray_address`, or on a temporary one on this machine."""
    interrupts = _Interrupts()
    with _cluster(options.ray_address), interrupts_go_to(interrupts.note):
        yield from _PendingTasks[T](options, interrupts).launch(tasks)
    if interrupts.count:
        raise KeyboardInterrupt


class _Interrupts:
    """Counts Ctrl-C; the third stops at once."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            raise KeyboardInterrupt


class _PendingTasks(Generic[T]):
    """The tasks that were submitted to the cluster and have not finished."""

    def __init__(self, options: LaunchOptions, interrupts: _Interrupts) -> None:
        self.options, self.interrupts = options, interrupts
        self.running: dict[Any, Task[T]] = {}
        self.cancelled = 0
        resources: dict[str, Any] = {"num_cpus": options.cpus_per_run, "num_gpus": options.gpus_per_run}
        if options.memory_per_run_gib is not None:
            resources["memory"] = int(options.memory_per_run_gib * GIB)
        self.remote: Any = ray.remote(max_retries=RETRIES, **resources)(_run_remotely)
        if self._fitting() == 0:
            message = f"no node can hold a run ({resources}): lower cpus_per_run, gpus_per_run or memory_per_run_gib"
            if options.ray_address is None:
                raise UserError(message)
            log.warning("%s; waiting for a node that can", message)

    def launch(self, tasks: Iterable[Task[T]]) -> Iterator[Result[T]]:
        """Keep the cluster busy; yield results as they arrive."""
        waiting = iter(tasks)
        exhausted = False
        while True:
            while not exhausted and not self.interrupts.count and len(self.running) < self._room():
                task = next(waiting, None)
                exhausted = task is None
                if task is not None:
                    self._submit(task)
            if not self.running:
                return
            ended, _ = ray.wait(list(self.running), num_returns=1, timeout=POLL_SECONDS)
            for reference in ended:
                yield self._result(self.running.pop(reference), reference)
            if self.interrupts.count > self.cancelled:
                self.cancelled = self.interrupts.count
                for reference in self.running:
                    ray.cancel(reference, force=self.cancelled > 1)

    def _submit(self, task: Task[T]) -> None:
        threads = max(1, int(self.options.cpus_per_run))
        verbose = log.isEnabledFor(logging.DEBUG)
        reference = self.remote.options(name=task.name).remote(task, str(Path.cwd()), sys.argv, threads, verbose)
        self.running[reference] = task

    def _result(self, task: Task[T], reference: Any) -> Result[T]:
        try:
            value, error, interrupted = ray.get(reference)
        except TaskCancelledError:
            return Result(task, interrupted=True)
        except RayError as failure:
            if self.interrupts.count:  # Ctrl-C has killed its process
                return Result(task, interrupted=True)
            log.error("%s failed: %s", task.name, failure)
            return Result(task, error=str(failure).strip())
        return Result(task, value, error, interrupted)

    def _room(self) -> int:
        """How many tasks to submit at once: at least one, because the cluster may scale up for it."""
        return self.options.max_parallel or max(1, self._fitting())

    def _fitting(self) -> int:
        """How many tasks the nodes of the cluster can run at once."""
        options = self.options
        needs = {"CPU": options.cpus_per_run, "GPU": options.gpus_per_run}
        needs["memory"] = (options.memory_per_run_gib or 0.0) * GIB
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return sum(min(int(node.get(name, 0) / need) for name, need in needs.items() if need) for node in nodes)


def _run_remotely(
    task: Task[T], folder: str, argv: list[str], threads: int, verbose: bool
) -> tuple[T | None, str | None, bool]:
    """Run a task in a process of the cluster, in the same folder and with the same command line.

    Returns the value, the error and the `interrupted` flag of its `Result`.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        return None, f"node {platform.node()} can't open {folder} ({error}): all nodes must share it", False
    sys.argv = argv
    log_to_screen(verbose)
    result = run_task(task, threads)
    return result.value, result.error, result.interrupted


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one here. Raises UserError if that fails."""
    if address is not None:
        _check_reachable(address)
    local: dict[str, Any] = {
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
    }
    try:
        ray.init(
            address=address or "local",
            job_config=JobConfig(code_search_path=[str(ROOT)]),
            logging_level=logging.WARNING,
            **(local if address is None else {}),  # type: ignore[arg-type]
        )
    except Exception as error:  # Ray raises many types
        where = "on this machine" if address is None else f"at {address}"
        raise UserError(f"there is no Ray cluster {where} ({error}): see --ray_address") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise UserError if nothing listens at the address; Ray itself would keep trying for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():  # for example "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"there is no Ray cluster at {address} ({error}): see --ray_address") from error
