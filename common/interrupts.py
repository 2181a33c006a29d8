"""Ctrl-C as a request that the program answers when it suits it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_go_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """While the block runs, Ctrl-C calls `handler`; outside the main thread nothing changes."""
    try:
        previous = signal.signal(signal.SIGINT, handler)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
