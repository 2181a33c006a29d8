"""Folders to run in."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import Launcher
from small_runs import Place


@pytest.fixture
def place(tmp_path: Path, launcher: Launcher) -> Place:
    """An empty folder to run in."""
    return Place(tmp_path / "here", launcher)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, launcher: Launcher) -> Place:
    """TINY_VAE, trained without interruption. Tests read it and don't change it."""
    done = Place(tmp_path_factory.mktemp("finished") / "here", launcher)
    done.changes = done.run().ok().changes  # type: ignore[attr-defined]
    return done
