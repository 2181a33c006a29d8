"""Tasks in several processes of this machine.

Processes are kept from task to task, so that each imports torch once. Unlike an executor of the standard library, the
pool outlives the death of a process (kill -9, out of memory): a new one takes its place and its task.
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
ATTEMPTS = 2  # so often a task is begun whose process dies
LAST_INTERRUPT = 3  # Ctrl-C so often, and nobody waits for anything
CLOSING_SECONDS = 10.0


@dataclass
class _Worker(Generic[T]):
    """A process, the way to it, and what it is doing."""

    process: BaseProcess
    connection: Connection[Any, Any]
    task: Task[T] | None = None
    attempt: int = 0
    told_to_stop: bool = False

    def give(self, task: Task[T], attempt: int) -> None:
        """Send it a task."""
        self.task, self.attempt = task, attempt
        try:
            self.connection.send(task)
        except OSError:  # it has died meanwhile: so much is found out when its answer is waited for
            log.debug("process %s has died", self.process.pid)

    def interrupt(self) -> None:
        """Let its task end as it does at Ctrl-C."""
        self.told_to_stop = True
        if self.process.pid is not None and self.process.is_alive():
            with contextlib.suppress(ProcessLookupError):  # it has just died by itself
                os.kill(self.process.pid, signal.SIGINT)


class _Pool(Generic[T]):
    """The workers, as many as have been needed so far."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.threads = max(1, torch.get_num_threads() // size)
        self.workers: list[_Worker[T]] = []
        self.interrupts = 0

    def begin(self, task: Task[T], attempt: int = 1) -> None:
        """Give a task to an idle worker, or to a new one."""
        idle = [worker for worker in self.workers if worker.task is None]
        worker = idle[0] if idle else self._start()
        worker.give(task, attempt)
        if self.interrupts and not worker.told_to_stop:  # Ctrl-C came meanwhile
            worker.interrupt()

    def has_room(self) -> bool:
        """Whether another task can begin."""
        return self.interrupts == 0 and len(self.busy()) < self.size

    def busy(self) -> list[_Worker[T]]:
        """The workers that have a task."""
        return [worker for worker in self.workers if worker.task is not None]

    def next_results(self) -> list[Result[T]]:
        """Wait until something is heard; the tasks that ended."""
        ready = wait([worker.connection for worker in self.busy()])
        heard = [self._hear(worker) for worker in self.busy() if worker.connection in ready]
        return [result for result in heard if result is not None]

    def _start(self) -> _Worker[T]:
        ours, theirs = _CONTEXT.Pipe()
        verbose = log.isEnabledFor(logging.DEBUG)
        process = _CONTEXT.Process(target=work, args=(theirs, self.threads, verbose), daemon=True)
        with _beginning(self.threads):
            process.start()
        theirs.close()
        worker = _Worker[T](process, ours)
        self.workers.append(worker)
        return worker

    def _hear(self, worker: _Worker[T]) -> Result[T] | None:
        """Take one message: a line to show, or the end of the task, or of the process."""
        assert worker.task is not None
        try:
            kind, value = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        if kind == ENDED:
            result: Result[T] = Result(worker.task, *value)
            worker.task = None
            return result
        tqdm.write(f"[{worker.task.name}] {value}", file=sys.stderr)
        return None

    def _bury(self, worker: _Worker[T]) -> Result[T] | None:
        """A process has died: its task begins again in another, or has failed."""
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
            log.warning("the process of %s %s: the task begins again", task.name, died)
            self.begin(task, worker.attempt + 1)
            return None
        error = f"its process {died}, {worker.attempt} times; if memory is short, try a lower --max_parallel"
        log.error("%s failed: %s", task.name, error)
        return Result(task, error=error)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Pass Ctrl-C on to the tasks: it is they that it ends, not the one that waits for them."""
        self.interrupts += 1
        if self.interrupts == LAST_INTERRUPT:
            raise KeyboardInterrupt
        for worker in self.busy():
            worker.interrupt()

    def close(self) -> None:
        """End the processes: those that are idle by themselves, the others at once."""
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
    """Do up to `size` tasks at once, each in a process with its share of the CPU threads.

    What a task prints or logs is shown a line at a time behind the task's name.
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
                        pool.begin(task)
                if not pool.busy():
                    break
                yield from pool.next_results()
        finally:
            pool.close()
    if pool.interrupts:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _beginning(threads: int) -> Iterator[None]:
    """What new processes inherit: no Ctrl-C until they ask for it, where our modules are, and how many threads to use.

    (The fork server imports our modules before it knows the path, and numerical libraries read their variable once.)
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
    """How processes are made: forked from one that has imported everything, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["runs"])
    return context


_CONTEXT = _context()
