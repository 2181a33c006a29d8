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
    """The messages of the loggers `names`, from INFO on, that come while the block runs, whoever else listens."""
    memory = _Memory()
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        if not logger.isEnabledFor(logging.INFO):
            logger.setLevel(logging.INFO)
    try:
        with listening(memory, names):
            yield memory.records
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
