"""Run tasks in several processes on this machine.

Workers are reused, so each imports torch only once. Unlike the standard library's executors, the pool survives the
death of a worker (kill -9, out of memory): a new worker replaces it and retries its task.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

import torch
from tqdm import tqdm

from common.interrupts import interrupts_go_to
from runs.launchers.tasks import Result, Task
from runs.launchers.worker import ENDED, work

log = logging.getLogger(__name__)
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
ATTEMPTS = 2  # how often to try a task whose process dies
FORCED_INTERRUPT = 3  # this many Ctrl-C stop at once, without waiting for the tasks
CLOSING_SECONDS = 10.0


@dataclass
class _Worker(Generic[T]):
    """A process, the connection to it, and its current task."""

    process: BaseProcess
    connection: Connection[Any, Any]
    task: Task[T] | None = None
    attempt: int = 0
    stop_requested: bool = False

    def give(self, task: Task[T], attempt: int) -> None:
        """Send it a task."""
        self.task, self.attempt = task, attempt
        try:
            self.connection.send(task)
        except OSError:  # it has died: `_receive` will find out
            log.debug("process %s has died", self.process.pid)

    def interrupt(self) -> None:
        """Interrupt its task, as Ctrl-C would."""
        self.stop_requested = True
        if self.process.pid is not None and self.process.is_alive():
            with contextlib.suppress(ProcessLookupError):  # it has just exited
                os.kill(self.process.pid, signal.SIGINT)


class _Pool(Generic[T]):
    """The workers; they are started when first needed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.threads = max(1, torch.get_num_threads() // size)
        self.workers: list[_Worker[T]] = []
        self.interrupts = 0

    def start(self, task: Task[T], attempt: int = 1) -> None:
        """Give a task to an idle worker, or to a new one."""
        idle = [worker for worker in self.workers if worker.task is None]
        worker = idle[0] if idle else self._start_worker()
        worker.give(task, attempt)
        if self.interrupts and not worker.stop_requested:  # Ctrl-C was pressed in the meantime
            worker.interrupt()

    def has_room(self) -> bool:
        """Whether another task can start."""
        return self.interrupts == 0 and len(self.busy()) < self.size

    def busy(self) -> list[_Worker[T]]:
        """The workers that have a task."""
        return [worker for worker in self.workers if worker.task is not None]

    def next_results(self) -> list[Result[T]]:
        """Wait for a message; return the results that have arrived, possibly none."""
        ready = wait([worker.connection for worker in self.busy()])
        received = [self._receive(worker) for worker in self.busy() if worker.connection in ready]
        return [result for result in received if result is not None]

    def _start_worker(self) -> _Worker[T]:
        own_end, worker_end = _CONTEXT.Pipe()
        verbose = log.isEnabledFor(logging.DEBUG)
        process = _CONTEXT.Process(target=work, args=(worker_end, self.threads, verbose), daemon=True)
        with _inherited_settings(self.threads):
            process.start()
        worker_end.close()
        worker = _Worker[T](process, own_end)
        self.workers.append(worker)
        return worker

    def _receive(self, worker: _Worker[T]) -> Result[T] | None:
        """Read one message: a line to print, the result of the task, or the end of the process."""
        assert worker.task is not None
        try:
            kind, value = worker.connection.recv()
        except (EOFError, OSError):
            return self._handle_worker_exit(worker)
        if kind == ENDED:
            result: Result[T] = Result(worker.task, *value)
            worker.task = None
            return result
        tqdm.write(f"[{worker.task.name}] {value}", file=sys.stderr)
        return None

    def _handle_worker_exit(self, worker: _Worker[T]) -> Result[T] | None:
        """Retry the task of a process that has died, or return it as failed."""
        task = worker.task
        assert task is not None
        self.workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        code = worker.process.exitcode
        died = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        if self.interrupts:
            return Result(task, interrupted=True)
        if worker.attempt < ATTEMPTS:
            log.warning("the process of %s %s: retrying", task.name, died)
            self.start(task, worker.attempt + 1)
            return None
        error = f"its process {died} in each of {worker.attempt} attempts; if memory is short, lower --max_parallel"
        log.error("%s failed: %s", task.name, error)
        return Result(task, error=error)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Pass Ctrl-C on to the tasks, and keep waiting for their results."""
        self.interrupts += 1
        if self.interrupts == FORCED_INTERRUPT:
            raise KeyboardInterrupt
        for worker in self.busy():
            worker.interrupt()

    def close(self) -> None:
        """Let idle workers exit, and kill the others."""
        for worker in self.workers:
            worker.connection.close()
            if worker.task is not None:
                worker.process.kill()
        for worker in self.workers:
            worker.process.join(CLOSING_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def launch_pool(tasks: Iterable[Task[T]], size: int) -> Iterator[Result[T]]:
    """Run up to `size` tasks at once, each in its own process with its share of the CPU threads.

    Each line that a task prints or logs is shown with the task's name in front.
    """
    waiting = iter(tasks)
    exhausted = False
    pool = _Pool[T](size)
    with interrupts_go_to(pool.interrupt):
        try:
            while True:
                while not exhausted and pool.has_room():
                    task = next(waiting, None)
                    exhausted = task is None
                    if task is not None:
                        pool.start(task)
                if not pool.busy():
                    break
                yield from pool.next_results()
        finally:
            pool.close()
    if pool.interrupts:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _inherited_settings(threads: int) -> Iterator[None]:
    """Set what a new process inherits: Ctrl-C blocked, the path to the project's modules, and the number of threads.

    These are environment variables because the fork server imports the modules before it receives the path, and
    numerical libraries read OMP_NUM_THREADS only once.
    """
    own = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    own.setdefault("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", str(threads)))
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    can_block = hasattr(signal, "pthread_sigmask")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else set()
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _context() -> Any:
    """How to start processes: where the system allows, fork them from a server that has imported everything."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # torch.optim imports torch._dynamo for the first optimizer, which takes each process more than a second
    context.set_forkserver_preload(["runs.commands", "torch._dynamo"])
    return context


_CONTEXT = _context()
