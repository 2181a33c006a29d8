"""Fixtures for tests of datasets: real files, a loader for files of the test, and a download server."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from raw_server import Server

import datasets
from datasets import download
from datasets.sequence_data import SequenceData
from runs.logs import LOGGERS

REAL_DATA = Path(os.environ.get("REAL_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

hypothesis.settings.register_profile("unhurried", deadline=None)  # a slow machine is not a failure
hypothesis.settings.load_profile("unhurried")

LoadFile = Callable[..., SequenceData]


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A function from the name of a real file to its path; skips the test if the file is missing."""

    def find(name: str) -> Path:
        path = (REAL_DATA / name).resolve()
        if not path.is_file():
            pytest.skip(f"no real data: {path} is missing (set REAL_DATA to its folder)")
        return path

    return find


@pytest.fixture
def load_file(tmp_path: Path) -> LoadFile:
    """A function that writes content to a file and loads it as dataset `file`, by default without filters."""

    def load(content: str | bytes | Path, name: str = "mine.csv", **options: Any) -> SequenceData:
        if isinstance(content, Path):
            path = content
        else:
            path = tmp_path / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        given = {"min_uc": 0, "min_sc": 0, "min_rating": None, "local_data_folder": tmp_path / "Data", **options}
        return datasets.load("file", datasets.DATASETS["file"].Options(dataset_path=path, **given))

    return load


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server, with short pauses between attempts."""
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 10.0)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.released.set()
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def loggers_as_before() -> Iterator[None]:
    """Restore the loggers that `main.run` configures."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.propagate, logger.handlers = propagate, handlers
