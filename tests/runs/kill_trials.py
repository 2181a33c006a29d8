"""Kill each command just before a change of a file, run it again, and compare with an uninterrupted one.

    python tests/runs/kill_trials.py            a kill before every change of every command: hours
    python tests/runs/kill_trials.py 200        200 kills at random moments
    python tests/runs/kill_trials.py 50 train   50 kills of one command

Prints a line for each fault, and the number of kills. The second run must end well and in the same results, without a
traceback, and nothing half-written may be left.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[number]) for number in (2, 1, 0)]

from helpers import Launcher
from small_runs import TINY, TINY_VAE, Place, hashes, outcome

Words = dict[str, Any]
SHORT: Words = {**TINY_VAE, "train_transfer": False, "saturation_wait_epochs": 2, "num_epochs": 2}
RUN = "experiments/g/run"
READ: Words = {"pretrained_weights": RUN}
LISTS: Words = {"mode": "recommend", **READ, "users": "all", "topk": 3, "output": "lists.csv"}
EXPORT: Words = {"mode": "export", **READ, "output": "served"}
TUNE: Words = {
    **SHORT, "mode": "tune", "search": "{lr: {uniform: [0.001, 0.1]}}", "num_trials": 2, "startup_trials": 1,
}  # fmt: skip
COMPARED = ("synthetic_users", "synthetic_items", "synthetic_length", "metric_ks", "num_threads")
COMPARE: Words = {
    "mode": "compare", "runs": ["train_pop", "train_ease"], "datasets": "synthetic", "test_negative_sample_size": 20,
    **{key: TINY[key] for key in COMPARED},
}  # fmt: skip
REPORT: Words = {"mode": "report", "experiments": RUN, "report_folder": "tables", "formats": ["markdown", "csv"]}


def of_run(place: Place) -> dict[str, Any]:
    """What a run left."""
    return outcome(place.run_folder)


def of_folder(name: str) -> Callable[[Place], object]:
    """The names of the files in a folder."""
    return lambda place: sorted(hashes(place.folder / name))


def of_file(name: str) -> Callable[[Place], object]:
    """The bytes of a file."""
    return lambda place: (place.folder / name).read_bytes()


def of_runs(place: Place) -> object:
    """The metrics of several runs."""
    files = sorted(place.folder.glob("experiments/*/*/results.json"))
    return {path.parent.name: json.loads(path.read_text())["test"] for path in files}


@dataclass(frozen=True)
class Trial:
    """A command to kill.

    Attributes
    ----------
    words : its options
    found : reads its results
    again : what to add to the same command after the kill
    before : the commands that precede it, which are not killed
    kept : a path that must exist at any time
    """

    words: Words
    found: Callable[[Place], object]
    again: Words = field(default_factory=dict)
    before: tuple[Words, ...] = ()
    kept: str | None = None


RESUME: Words = {"resume_training": True}
REPLACE: Words = {"overwrite": True}
TRIALS = {
    "train": Trial(SHORT, of_run, RESUME),
    "train, all stages": Trial({**TINY_VAE, "saturation_wait_epochs": 1}, of_run, RESUME),
    "fit": Trial({**TINY, "model_code": "ease"}, lambda place: place.results()["test"], RESUME),
    "overwrite": Trial({**SHORT, **REPLACE}, of_run, {**RESUME, "overwrite": False}, (SHORT,)),
    "extend": Trial({**SHORT, **RESUME, "num_epochs": 3}, of_run, {}, (SHORT,)),
    "test": Trial({**SHORT, "mode": "test"}, of_folder(f"{RUN}/evaluation"), {}, (SHORT,)),
    "recommend": Trial(LISTS, of_file("lists.csv"), REPLACE, (SHORT,)),
    "recommend again": Trial({**LISTS, **REPLACE}, of_file("lists.csv"), {}, (SHORT, LISTS), "lists.csv"),
    "export": Trial(EXPORT, of_folder("served"), REPLACE, (SHORT,)),
    "export again": Trial({**EXPORT, **REPLACE}, of_folder("served"), {}, (SHORT, EXPORT), "served/manifest.json"),
    "tune": Trial(TUNE, of_file("experiments/g/tune-run/best.yaml")),
    "compare": Trial(COMPARE, of_runs),
    "report": Trial(REPORT, of_file("tables/report.md"), {}, (SHORT,)),
    "stats": Trial(
        {"mode": "stats", "dataset_code": "synthetic", "stats_json": "stats.json"}, of_file("stats.json"), REPLACE
    ),
}


def trials_of(name: str, launcher: Launcher, place: Path, count: int | None) -> Iterator[str | None]:
    """Kill a command `count` times (None = before every change of a file); yields a fault, or None, of each kill."""
    trial = TRIALS[name]
    base, whole = Place(place / "base", launcher), place / "whole"
    for words in trial.before:
        base.run(words).ok()
    shutil.copytree(base.folder, whole)
    uninterrupted = Place(whole, launcher)
    changes = uninterrupted.run(trial.words).ok().changes or 0
    right = trial.found(uninterrupted)
    moments = range(1, changes + 1)
    chosen = moments if count is None else sorted(random.Random(changes).sample(moments, min(count, changes)))
    for at in chosen:
        killed = Place(place / "killed", launcher)
        shutil.rmtree(killed.folder)
        shutil.copytree(base.folder, killed.folder)
        fault = _fault(trial, killed, at, right)
        yield None if fault is None else f"{name}, killed before change {at} of {changes}: {fault}"


def _fault(trial: Trial, place: Place, at: int, right: object) -> str | None:
    """What went wrong with one kill."""
    first = place.run(trial.words, die_at=at)
    if first.code != -signal.SIGKILL:
        return f"it wasn't killed: exit code {first.code}"
    if trial.kept is not None and not (place.folder / trial.kept).exists():
        return f"{trial.kept} is lost"
    second = place.run({**trial.words, **trial.again})
    if "Traceback" in first.err + second.err:
        return f"a traceback: {second.err[-500:]}"
    if second.code != 0 and "holds a finished run" not in second.err:
        return f"exit code {second.code}: {second.err[-500:]}"
    if trial.found(place) != right:
        return "other results"
    left = [path for pattern in (".*.tmp", ".tmp*") for path in place.folder.rglob(pattern) if not is_empty(path)]
    return f"left half-written: {left[0].relative_to(place.folder)}" if left else None


def is_empty(path: Path) -> bool:
    """Whether it is an empty folder, which the next writer of the same file removes."""
    return path.is_dir() and not any(path.iterdir())


def main(words: list[str]) -> int:
    """Run the trials; returns 1 if one has a fault."""
    count, names = (int(words[0]) if words else None), words[1:] or list(TRIALS)
    launcher, done, faults = Launcher(), 0, 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            before = done, faults
            each = None if count is None else -(-count // len(names))
            for fault in trials_of(name, launcher, Path(folder), each):
                done, faults = done + 1, faults + (fault is not None)
                if fault is not None:
                    print(fault, flush=True)
            print(f"{name}: {done - before[0]} kills, {faults - before[1]} faults", flush=True)
    launcher.close()
    print(f"{done} kills, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
