"""Progress bars, shown on a terminal only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)
T = TypeVar("T")


class Progress:
    """Progress bars over batches; silent if standard error isn't a terminal."""

    def __init__(self) -> None:
        self.on_terminal = sys.stderr.isatty()

    def bar(self, batches: Iterable[T], total: int, title: str) -> tqdm[T]:
        """A progress bar to iterate over `batches` with; it is cleared at the end."""
        return tqdm(
            batches,
            total=total,
            desc=title,
            leave=False,
            dynamic_ncols=True,
            disable=not self.on_terminal,
            unit="batch",
        )

    def shown(self, batches: Iterable[T], total: int, title: str) -> Iterator[T]:
        """The same as a plain iterator."""
        yield from self.bar(batches, total, title)


def format_seconds(seconds: float) -> str:
    """Format a duration as 1:02:03, or as 2:03 below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
