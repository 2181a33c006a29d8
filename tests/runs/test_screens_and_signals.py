"""A screen that can't be written to doesn't end a training; SIGTERM is Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT, flags
from small_runs import TINY_VAE, Place, outcome

from common.texts import escaped


def test_a_reader_that_leaves_early_ends_no_training(finished: Place, place: Place) -> None:
    command = f'"{sys.executable}" "{ROOT / "main.py"}" "$@" 2>&1 | head -1; exit ${{PIPESTATUS[0]}}'
    words = ["bash", "-c", command, "main", *flags(**TINY_VAE)]
    done = subprocess.run(words, cwd=place.folder, capture_output=True, text=True, check=False, timeout=240)
    assert place.status()["state"] == "finished"
    assert outcome(place.run_folder) == outcome(finished.run_folder)
    assert done.returncode == 141


@pytest.mark.parametrize(("screen", "code"), [({}, 0), ({"err": "/dev/full"}, 0), ({"out": "/dev/full"}, 1)])
def test_a_screen_that_is_lost_ends_no_training(
    finished: Place, place: Place, screen: dict[str, str], code: int
) -> None:
    ended = place.launcher.start(place.folder, *flags(**TINY_VAE), screen=screen).wait()
    assert place.status()["state"] == "finished"
    assert outcome(place.run_folder) == outcome(finished.run_folder)
    assert ended.code == code and "Traceback" not in ended.err


def test_sigterm_is_ctrl_c(place: Place) -> None:
    """Batch systems and containers send it before they kill: the run ends so that it can be resumed."""
    running = place.start(die_at=150, die_of=signal.SIGTERM)
    ended = running.wait()
    assert ended.code == 130 and "--resume_training true" in ended.out
    assert (place.results()["stopped_by"], place.status()["state"]) == ("interrupted", "interrupted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_gives_no_traceback(tmp_path: Path, number: signal.Signals) -> None:
    words = [sys.executable, str(ROOT / "main.py"), "--mode", "stats", "--dataset_code", "synthetic"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        assert child.stderr is not None
        time.sleep(1.5)
        for _ in range(30):
            if child.poll() is not None:
                break
            os.kill(child.pid, number)
            time.sleep(0.005)
        assert b"Traceback" not in child.stderr.read()


def test_control_characters_are_shown_not_sent() -> None:
    assert escaped("a\x1b[31m\u202eb\nc\td\x9b", 100) == "a\\x1b[31m\\u202eb\nc\td\\x9b"
    assert escaped("x" * 50, 10) == "xxxxxxxxxx ... (50 characters)"
