"""Ctrl-C as a request that the program answers when it suits it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_go_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """While the block runs, Ctrl-C calls `handler`; outside the main thread nothing changes.

    Nor where Ctrl-C is ignored: so a script starts what is to run behind it, and means other programs by Ctrl-C.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if previous is None else previous)
