"""Batches that are prepared ahead, in a thread, while the device computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
WAIT_SECONDS = 0.1  # between looks at whether the batches are still wanted


def ahead(source: Iterator[T], prepared: Callable[[T], T], count: int = 2) -> Iterator[T]:
    """The elements of `source`, prepared in a thread; an error there is raised here.

    Parameters
    ----------
    source : used by the thread alone
    prepared : what the thread does to each element
    count : how many are kept ready
    """
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(count)
    unwanted = threading.Event()

    def offer(entry: tuple[T] | BaseException | None) -> None:
        while not unwanted.is_set():
            try:
                ready.put(entry, timeout=WAIT_SECONDS)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for element in source:
                offer((prepared(element),))
                if unwanted.is_set():
                    return
            offer(None)
        except BaseException as error:
            offer(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while (entry := ready.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        unwanted.set()
        thread.join()
