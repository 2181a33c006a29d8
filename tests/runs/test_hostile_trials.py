"""A few of the trials of `kill_trials.py` and `tamper_trials.py`, which do hundreds."""

from pathlib import Path
from random import Random

import pytest
import tamper_trials
from helpers import Launcher
from kill_trials import trials_of


@pytest.mark.parametrize("name", ["overwrite", "extend", "recommend again", "export again", "report", "stats"])
def test_a_killed_command_can_be_run_again(name: str, tmp_path: Path, launcher: Launcher) -> None:
    assert [fault for fault in trials_of(name, launcher, tmp_path, 2) if fault] == []


@pytest.mark.parametrize("name", ["resume", "test", "compare", "tune"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path, launcher: Launcher) -> None:
    assert [fault for fault in tamper_trials.trials_of(name, launcher, tmp_path, 4, Random(3)) if fault] == []
