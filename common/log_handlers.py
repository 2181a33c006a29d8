"""Temporary logging handlers."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def handler_attached(handler: logging.Handler, names: Sequence[str]) -> Iterator[None]:
    """Attach `handler` to the loggers `names` while the block runs."""
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _RecordList(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def captured_records(names: Sequence[str]) -> Iterator[list[logging.LogRecord]]:
    """Collect the records that the loggers `names` emit at level INFO or above while the block runs."""
    handler = _RecordList()
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        if not logger.isEnabledFor(logging.INFO):
            logger.setLevel(logging.INFO)
    try:
        with handler_attached(handler, names):
            yield handler.records
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
