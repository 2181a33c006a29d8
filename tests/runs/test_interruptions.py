"""A run that was killed or interrupted and then resumed ends in the same bits as an uninterrupted one."""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import Place, outcome

MOST_ATTEMPTS = 60


def test_the_same_command_gives_the_same_bits(finished: Place, place: Place) -> None:
    place.run().ok()
    assert outcome(place.run_folder) == outcome(finished.run_folder)


def test_the_run_goes_through_all_stages(finished: Place) -> None:
    rows = (finished.run_folder / "tables" / "train_log.csv").read_text().splitlines()[1:]
    assert list(dict.fromkeys(row.split(",")[1] for row in rows)) == [f"recover_len {n}" for n in (8, 4, 2, 1)]
    assert finished.results()["stopped_by"] == "saturation"


@pytest.mark.parametrize("stride", [43, 61])
def test_killed_again_and_again(finished: Place, place: Place, stride: int) -> None:
    """Kill it before every `stride`-th change of a file, until it finishes."""
    kills = 0
    while (ended := place.run(die_at=stride, resume_training=True)).code == -signal.SIGKILL:
        kills += 1
        assert kills < MOST_ATTEMPTS, "a resumed run doesn't get on"
    if "holds a finished run" not in ended.err:  # killed between its last word and its exit
        ended.ok()
    assert kills >= 4
    assert place.status()["state"] == "finished"
    assert outcome(place.run_folder) == outcome(finished.run_folder)


@pytest.mark.parametrize("before_end", [1, 2, 4, 6, 9])
def test_killed_while_results_are_written(finished: Place, place: Place, before_end: int) -> None:
    changes = finished.changes  # type: ignore[attr-defined]
    assert place.run(die_at=changes - before_end + 1).code == -signal.SIGKILL
    if place.status()["state"] != "finished":
        place.run(resume_training=True).ok()
    assert outcome(place.run_folder) == outcome(finished.run_folder)
    assert place.status()["state"] == "finished"


@pytest.mark.parametrize("change", [1, 2, 5, 9, 14, 20])
def test_killed_while_starting(finished: Place, place: Place, change: int) -> None:
    """Killed while preparing data, making the folder, or in the first epoch: it resumes, or just starts."""
    assert place.run(die_at=change).code == -signal.SIGKILL
    place.run(resume_training=True).ok()
    assert outcome(place.run_folder) == outcome(finished.run_folder)


def test_killed_at_random_moments(finished: Place, place: Place) -> None:
    began = time.monotonic()
    moments = random.Random(4)
    kills = 0
    while not kills or not (place.run_folder / "results.json").exists():
        assert time.monotonic() - began < 120
        if not kills:
            shutil.rmtree(place.folder / "experiments", ignore_errors=True)  # through before it was killed
        running = place.start(resume_training=True)
        time.sleep(moments.uniform(0.1, 0.6) + 0.1 * kills)
        running.send(signal.SIGKILL)
        kills += running.wait().code == -signal.SIGKILL
    place.run(resume_training=True)  # a refusal, where the last kill came too late
    assert outcome(place.run_folder) == outcome(finished.run_folder)


@pytest.mark.parametrize("file", ["recent-", "best.safetensors"])
def test_killed_while_a_checkpoint_is_written(finished: Place, place: Place, file: str) -> None:
    hits = 0
    for _ in range(40):
        running = place.start(resume_training=True)
        wait_for_temporary(place.run_folder / "models", file, running.ended)
        running.send(signal.SIGKILL)
        ended = running.wait()
        if ended.code != -signal.SIGKILL:
            assert ended.code == 0 or "holds a finished run" in ended.err, ended.err
            if hits:
                break
            shutil.rmtree(place.folder / "experiments")  # through before a kill came in time
            continue
        hits += bool(temporaries(place.run_folder / "models", file))
        if hits == 2:
            break
    assert hits, "no kill came while the file was being written"
    if place.status()["state"] != "finished":
        place.run(resume_training=True).ok()
    assert outcome(place.run_folder) == outcome(finished.run_folder)
    assert not temporaries(place.run_folder / "models", ""), "half-written files were left behind"


def temporaries(folder: Path, name: str) -> list[Path]:
    """Half-written files."""
    return list(folder.glob(f".{name}*.tmp"))


def wait_for_temporary(folder: Path, name: str, ended: Callable[[], bool]) -> None:
    """Wait until a file is being written (or the process ends)."""
    before = set(temporaries(folder, name))
    while not set(temporaries(folder, name)) - before and not ended():
        pass


@pytest.mark.parametrize(("checkpoint_seconds", "change"), [(0, 150), (0, 223), (1000, 90), (1000, 131)])
def test_interrupted_by_ctrl_c(finished: Place, place: Place, checkpoint_seconds: int, change: int) -> None:
    ended = place.start(checkpoint_seconds=checkpoint_seconds, die_at=change, die_of=signal.SIGINT).wait()
    assert ended.code == 130
    assert "--resume_training true" in ended.out
    written = place.results()
    assert (written["stopped_by"], place.status()["state"]) == ("interrupted", "interrupted")
    assert 4 <= written["epochs"] < finished.results()["epochs"]
    assert written["best_epoch"] <= written["epochs"]

    # the weights that it leaves are those that it tested
    place.run(mode="test").ok()
    tested = json.loads((place.run_folder / "evaluation" / "test.json").read_text())
    assert tested["test"] == written["test"]

    place.run(resume_training=True, checkpoint_seconds=checkpoint_seconds).ok()
    resumed, whole = outcome(place.run_folder), outcome(finished.run_folder)
    resumed.pop("options"), whole.pop("options")
    assert resumed == whole
    assert place.status()["state"] == "finished"


def test_interrupted_during_the_first_epoch(finished: Place, place: Place) -> None:
    running = place.start(train_batch_size=1, synthetic_users=1500)
    deadline = time.monotonic() + 60
    while not (place.run_folder / "log.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(0.1)
    running.send(signal.SIGINT)
    ended = running.wait()
    assert ended.code == 130
    assert not (place.run_folder / "results.json").exists()
    assert place.status()["state"] == "interrupted"
    refused = place.run(train_batch_size=1, synthetic_users=1500)
    assert refused.code == 1 and "--resume_training true" in refused.err
