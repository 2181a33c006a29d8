"""What the screen shows of the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from runs.logs import LOGGERS, log_to_screen


@pytest.fixture
def screen() -> Iterator[None]:
    states = {name: (logger.handlers, logger.level, logger.propagate) for name, logger in _loggers().items()}
    log_to_screen(False)
    yield
    for name, logger in _loggers().items():
        logger.handlers, logger.level, logger.propagate = states[name]


def _loggers() -> dict[str, logging.Logger]:
    return {name: logging.getLogger(name) for name in LOGGERS}


@pytest.mark.usefixtures("screen")
def test_notes_on_data_are_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("datasets.cache")
    log.info("shop: 3 rows dropped")
    for note in ("shop: 3 rows dropped", "games: 1 row dropped", "games: 1 row dropped"):
        log.info("%s (logged before)", note, extra={"repeats": note})
    assert capsys.readouterr().err.splitlines() == ["shop: 3 rows dropped", "games: 1 row dropped (logged before)"]
