"""Messages of the program's own logging, kept for later."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def listening(handler: logging.Handler, names: Sequence[str]) -> Iterator[None]:
    """The loggers `names`, and those below them, send their messages to `handler` too while the block runs."""
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _Memory(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def remembered(names: Sequence[str]) -> Iterator[list[logging.LogRecord]]:
    """The messages of the loggers `names` that come while the block runs."""
    memory = _Memory()
    with listening(memory, names):
        yield memory.records
