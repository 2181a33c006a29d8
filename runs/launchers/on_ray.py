"""Tasks on a Ray cluster. What they read and write lies in folders that all nodes share, under the same path.

A task whose process or node dies begins again on another node, so it should go on where it was.
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

os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # read when Ray is imported: the lines of different runs are much alike
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import RayError, TaskCancelledError
from ray.job_config import JobConfig

from common.errors import UserError
from common.interrupts import interrupts_go_to
from runs.launchers.options import LaunchOptions
from runs.launchers.tasks import Result, Task, do
from runs.logs import log_to_screen

log = logging.getLogger(__name__)
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30
STORE_BYTES = 80 * 2**20  # of a cluster of our own; only results go through it, and they are small
RETRIES = 3  # so often a task is begun anew after its process or node died
KNOCKING_SECONDS = 10.0
LISTENING_SECONDS = 0.5  # after which Ctrl-C is seen


def launch_ray(tasks: Iterable[Task[T]], options: LaunchOptions) -> Iterator[Result[T]]:
    """Do tasks on the cluster at `ray_address`, or on one on this machine that ends with them."""
    interrupts = _Interrupts()
    with _cluster(options.ray_address), interrupts_go_to(interrupts.note):
        yield from _Flight[T](options, interrupts).launch(tasks)
    if interrupts.count:
        raise KeyboardInterrupt


class _Interrupts:
    """Counts Ctrl-C; the third breaks off what runs."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            raise KeyboardInterrupt


class _Flight(Generic[T]):
    """The tasks that were given to the cluster and have not ended."""

    def __init__(self, options: LaunchOptions, interrupts: _Interrupts) -> None:
        self.options, self.interrupts = options, interrupts
        self.running: dict[Any, Task[T]] = {}
        self.cancelled = 0
        resources: dict[str, Any] = {"num_cpus": options.cpus_per_run, "num_gpus": options.gpus_per_run}
        if options.memory_per_run_gib is not None:
            resources["memory"] = int(options.memory_per_run_gib * GIB)
        self.remote: Any = ray.remote(max_retries=RETRIES, **resources)(do_remotely)
        if self._fitting() == 0:
            message = f"no node has what a run needs ({resources}): lower cpus_per_run, gpus_per_run or memory_per_run"
            if options.ray_address is None:
                raise UserError(message)
            log.warning("%s; waiting for one that has", message)

    def launch(self, tasks: Iterable[Task[T]]) -> Iterator[Result[T]]:
        """Keep the cluster busy; yield results as they come."""
        waiting = iter(tasks)
        exhausted = False
        while True:
            while not exhausted and not self.interrupts.count and len(self.running) < self._room():
                task = next(waiting, None)
                exhausted = task is None
                if task is not None:
                    self._begin(task)
            if not self.running:
                return
            ended, _ = ray.wait(list(self.running), num_returns=1, timeout=LISTENING_SECONDS)
            for reference in ended:
                yield self._result(self.running.pop(reference), reference)
            if self.interrupts.count > self.cancelled:
                self.cancelled = self.interrupts.count
                for reference in self.running:
                    ray.cancel(reference, force=self.cancelled > 1)

    def _begin(self, task: Task[T]) -> None:
        threads = max(1, int(self.options.cpus_per_run))
        verbose = log.isEnabledFor(logging.DEBUG)
        reference = self.remote.options(name=task.name).remote(task, str(Path.cwd()), sys.argv, threads, verbose)
        self.running[reference] = task

    def _result(self, task: Task[T], reference: Any) -> Result[T]:
        try:
            value, error, interrupted = ray.get(reference)
        except TaskCancelledError:
            return Result(task, interrupted=True)
        except RayError as broken:
            if self.interrupts.count:  # its process was ended
                return Result(task, interrupted=True)
            log.error("%s failed: %s", task.name, broken)
            return Result(task, error=str(broken).strip())
        return Result(task, value, error, interrupted)

    def _room(self) -> int:
        """How many tasks may be given to the cluster at once: at least one, which may make it grow."""
        return self.options.max_parallel or max(1, self._fitting())

    def _fitting(self) -> int:
        """How many tasks the cluster's nodes can hold."""
        options = self.options
        needs = {"CPU": options.cpus_per_run, "GPU": options.gpus_per_run}
        needs["memory"] = (options.memory_per_run_gib or 0.0) * GIB
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return sum(min(int(node.get(name, 0) / need) for name, need in needs.items() if need) for node in nodes)


def do_remotely(
    task: Task[T], folder: str, argv: list[str], threads: int, verbose: bool
) -> tuple[T | None, str | None, bool]:
    """Do a task in a process of the cluster as if it were the one that was started; the fields of its result."""
    try:
        os.chdir(folder)
    except OSError as error:
        return None, f"{folder} is not on node {platform.node()} ({error}): all must share it", False
    sys.argv = argv
    log_to_screen(verbose)
    result = do(task, threads)
    return result.value, result.error, result.interrupted


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Be connected to a cluster while the block runs. Raises UserError if it isn't there."""
    if address is not None:
        _knock(address)
    own: dict[str, Any] = {
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
    }
    try:
        ray.init(
            address=address or "local",
            job_config=JobConfig(code_search_path=[str(ROOT)]),
            logging_level=logging.WARNING,
            **(own if address is None else {}),  # type: ignore[arg-type]
        )
    except Exception as error:  # Ray says it by any kind
        where = "on this machine" if address is None else f"at {address}"
        raise UserError(f"there is no Ray cluster {where} ({error}): see --ray_address") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Look whether anybody is there: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():  # "auto", say
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCKING_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"there is no Ray cluster at {address} ({error}): see --ray_address") from error
