"""Standard output and standard error that never end a command: what can't be written is dropped."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

STANDARD = (0, 1, 2)


class SafeStream(io.TextIOWrapper):
    """A standard stream. If it can't be written (a closed pipe, a full disk), it drops everything from then on.

    Attributes
    ----------
    failure : the error of the first text that was lost; None if there was none
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def open_std_streams() -> SafeStream | None:
    """Make the process's standard output and error `SafeStream`s; returns the first, or None if it was replaced before.

    Closed streams (`>&-`) are opened on the null device, so that no other file gets their numbers.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout, sys.stderr = _safe_stream(sys.stdout, sys.__stdout__, 1), _safe_stream(sys.stderr, sys.__stderr__, 2)
    return sys.stdout if isinstance(sys.stdout, SafeStream) else None


def _safe_stream(current: TextIO | None, own: TextIO | None, number: int) -> TextIO:
    if current is None:
        return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if current is not own or not isinstance(current, io.TextIOWrapper) or isinstance(current, SafeStream):
        return current
    encoding, buffered = current.encoding, current.line_buffering
    return SafeStream(
        current.detach(), encoding, "backslashreplace", line_buffering=buffered, write_through=number == 2
    )
