"""A process that does tasks, one after the other, for another process that sends them."""

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

from runs.launchers.tasks import Result, do
from runs.logs import log_to_screen

ENDED, LINE = "ended", "line"  # what a message from the worker is


class Lines(io.TextIOBase):
    """A stream that hands on whole lines. Whoever asks whether it is a terminal, to draw a progress bar, is told no."""

    def __init__(self, hand_on: Any) -> None:
        self._hand_on = hand_on
        self._pending = ""

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Take text; hand on the lines that it completes."""
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            self._hand_on(line)
        return len(text)


class _Outbox:
    """Sends messages from a thread of its own: a signal handler that logs may come in the middle of another message."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def put(self, kind: str, value: Any) -> None:
        """Send this, after what was put before."""
        self._waiting.put((kind, value))

    def close(self) -> None:
        """Wait until all is sent."""
        self._waiting.put(None)
        self._thread.join()

    def _send(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._connection.send(message)
            except OSError:  # nobody listens any more
                return
            except Exception as error:  # of any kind: what can't be sent must not leave the other side waiting
                self._connection.send((ENDED, (None, f"its result can't be sent: {error}", False)))


def work(connection: Connection[Any, Any], threads: int, verbose: bool) -> None:
    """Receive tasks until the other side closes the connection; send lines that they print, and their results.

    The process leaves the group of the one that started it, so that Ctrl-C reaches tasks only through that one, once;
    and it dies with that one, whatever that died of.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, stop)
    if hasattr(os, "setpgrp"):
        os.setpgrp()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_die_with_parent, daemon=True).start()
    outbox = _Outbox(connection)
    tqdm.set_lock(threading.RLock())  # its own one would be shared with other processes, which may be killed with it
    sys.stdout = sys.stderr = Lines(lambda line: outbox.put(LINE, line))
    log_to_screen(verbose)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            break
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            result = Result(task, interrupted=True) if stopped else do(task, threads)
        except KeyboardInterrupt:  # in the moment before the task began, or after it ended
            result = Result(task, interrupted=True)
        signal.signal(signal.SIGINT, stop)
        outbox.put(ENDED, (result.value, result.error, result.interrupted))
    outbox.close()


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
