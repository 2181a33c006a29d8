"""A few of the kills of `kill_trials.py`, which tries them all."""

from pathlib import Path

import pytest
from helpers import Launcher
from kill_trials import trials_of


@pytest.mark.parametrize("name", ["overwrite", "extend", "recommend again", "export again", "report", "stats"])
def test_a_killed_command_can_be_run_again(name: str, tmp_path: Path, launcher: Launcher) -> None:
    assert [fault for fault in trials_of(name, launcher, tmp_path, 2) if fault] == []
