"""The worker process: receives tasks from the pool and runs them one after the other."""

from __future__ import annotations

import io
import os
import queue
import signal
import sys
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from tqdm import tqdm

from runs.launchers.tasks import Result, run_task
from runs.logs import log_to_screen

ENDED, LINE = "ended", "line"  # kinds of message from a worker


class Lines(io.TextIOBase):
    """A stream that passes on whole lines. It isn't a terminal (`isatty` is false), so no progress bars are drawn."""

    def __init__(self, emit: Any) -> None:
        self._emit = emit
        self._pending = ""

    def writable(self) -> bool:
        """Return True: the stream takes text."""
        return True

    def write(self, text: str) -> int:
        """Append text; pass on each line that it completes."""
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            self._emit(line)
        return len(text)


class _Outbox:
    """Sends messages from its own thread, because a signal handler may log while another message is being sent."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def put(self, kind: str, value: Any) -> None:
        """Queue a message."""
        self._waiting.put((kind, value))

    def close(self) -> None:
        """Wait until all messages have been sent."""
        self._waiting.put(None)
        self._thread.join()

    def _send(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._connection.send(message)
            except OSError:  # the pool has gone
                return
            except Exception as error:  # an unpicklable result must not leave the pool waiting
                self._connection.send((ENDED, (None, f"its result can't be sent to the main process: {error}", False)))


def work(connection: Connection[Any, Any], threads: int, verbose: bool) -> None:
    """Run tasks until the pool closes the connection; send back the lines that they print, and their results.

    The worker leaves its parent's process group, so that Ctrl-C reaches it only once, from the parent. It exits when
    the parent dies, for whatever reason.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a batch system sends it to all processes; the parent passes it on
    if hasattr(os, "setpgrp"):
        os.setpgrp()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    outbox = _Outbox(connection)
    tqdm.set_lock(threading.RLock())  # the default one is shared with processes that may be killed while holding it
    sys.stdout = sys.stderr = Lines(lambda line: outbox.put(LINE, line))
    log_to_screen(verbose)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            break
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            result = Result(task, interrupted=True) if stopped else run_task(task, threads)
        except KeyboardInterrupt:  # just before the task started, or just after it ended
            result = Result(task, interrupted=True)
        signal.signal(signal.SIGINT, stop)
        outbox.put(ENDED, (result.value, result.error, result.interrupted))
    outbox.close()


def _exit_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
