"""A few of the trials of `kill_trials.py` and `tamper_trials.py`, which do hundreds."""

from pathlib import Path
from random import Random

import pytest
import tamper_trials
from helpers import Launcher
from kill_trials import trials_of


@pytest.mark.parametrize("name", ["overwrite", "extend", "recommend again", "export again", "report", "stats"])
def test_a_killed_command_can_be_run_again(name: str, tmp_path: Path, launcher: Launcher) -> None:
    kills = 1 if name == "export again" else 2  # an export takes seconds
    assert [fault for fault in trials_of(name, launcher, tmp_path, kills) if fault] == []


@pytest.mark.parametrize(("name", "files"), [("resume", 4), ("test", 4), ("compare", 2), ("tune", 2)])
def test_a_damaged_file_is_named(name: str, files: int, tmp_path: Path, launcher: Launcher) -> None:
    assert [fault for fault in tamper_trials.trials_of(name, launcher, tmp_path, files, Random(3)) if fault] == []
