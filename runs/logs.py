"""Log to the screen (without breaking progress bars) and to the run's log.txt."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from common.log_handlers import handler_attached
from common.texts import escaped

LONGEST = 20_000  # characters of a message
LOGGERS = ("common", "datasets", "dataloaders", "models", "trainers", "evaluation", "runs", "reports")


class _ScreenHandler(logging.Handler):
    """Writes to stderr above any progress bar. What was said of prepared data is not shown again at each load."""

    def __init__(self) -> None:
        super().__init__()
        self._said_of_data: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("datasets"):
            repeated = getattr(record, "repeats", None)
            if repeated in self._said_of_data:
                return
            self._said_of_data.add(repeated or record.getMessage())
        with contextlib.suppress(OSError, ValueError):  # a screen that can't be written to must not end a run
            tqdm.write(self.format(record), file=sys.stderr)


class _FileHandler(logging.FileHandler):
    """Writes to log.txt. On a full disk lines are lost, and the run ends when it can't write its status."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class _Formatter(logging.Formatter):
    """Formats messages without control characters, and cut if they are very long."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record), LONGEST)


def log_to_screen(verbose: bool) -> None:
    """Show the messages of this project's packages on the screen; repeated calls change nothing."""
    handler = _ScreenHandler()
    handler.setFormatter(_Formatter("%(message)s"))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG if verbose else logging.INFO)
        logger.propagate = False
        logger.handlers = [h for h in logger.handlers if not isinstance(h, _ScreenHandler)] + [handler]


@contextmanager
def log_to_file(path: Path, earlier: Sequence[logging.LogRecord] = ()) -> Iterator[None]:
    """Also append messages to `path`, with their time: the `earlier` ones, and all while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    for record in earlier:
        handler.handle(record)
    try:
        with handler_attached(handler, LOGGERS):
            yield
    finally:
        with contextlib.suppress(OSError):
            handler.close()
