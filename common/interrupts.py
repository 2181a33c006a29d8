"""Handling of Ctrl-C (SIGINT), and of SIGTERM, which batch systems and containers send before they kill."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_go_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call `handler` on Ctrl-C and SIGTERM while the block runs.

    Does nothing outside the main thread, or for a signal that the process ignores (shells make background jobs ignore
    SIGINT).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in INTERRUPTS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)


def handle_sigterm_as_interrupt() -> None:
    """Make SIGTERM raise KeyboardInterrupt, as Ctrl-C does."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def end_at_once_when_interrupted() -> None:
    """Make Ctrl-C and SIGTERM end the process without a traceback, now that its work is done."""
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
