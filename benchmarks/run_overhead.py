"""Measure the overhead of a run: the time for options, data, folders and results, without training and evaluation.

    python benchmarks/run_overhead.py [--runs 8]

Runs a comparison of popularity on generated data, with `--runs` seeds, in this process and a temporary folder. Times
each run, and within it the trainer and the two final evaluations; the rest is the overhead. Prints these times and
exits with code 1 if the median overhead exceeds LIMIT. On a busy machine, wall time exceeds CPU time.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
LIMIT = 2.0  # seconds


class Clock:
    """Adds up the wall and CPU seconds of calls."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `function` so that each call adds its time."""

        def call(*args: Any, **named: Any) -> Any:
            wall, processor = time.perf_counter(), time.process_time()
            try:
                return function(*args, **named)
            finally:
                self.wall += time.perf_counter() - wall
                self.processor += time.process_time() - processor

        return call


def measure(runs: int) -> list[tuple[float, float, float]]:
    """Return (wall seconds, seconds in training and evaluation, CPU seconds of the rest) for each run."""
    from evaluation.evaluator import Evaluator  # noqa: PLC0415
    from runs.api import resolve_words  # noqa: PLC0415
    from runs.comparison import execution  # noqa: PLC0415
    from runs.comparison.config import CompareConfig  # noqa: PLC0415
    from runs.logs import log_to_screen  # noqa: PLC0415
    from trainers.fit import FitTrainer  # noqa: PLC0415

    log_to_screen(False)
    seeds = [str(seed) for seed in range(runs)]
    words = ["--mode", "compare", "--runs", "train_pop", "--datasets", "synthetic", "--seeds", *seeds]
    config = CompareConfig.of(resolve_words(words))
    whole, inner = Clock(), Clock()
    evaluate, train = Evaluator.evaluate, FitTrainer.train
    found: list[tuple[float, float, float]] = []

    def note(*args: Any) -> Any:
        before = whole.wall, inner.wall, whole.processor - inner.processor
        outcome = timed_run(*args)
        rest = whole.processor - inner.processor - before[2]
        found.append((whole.wall - before[0], inner.wall - before[1], rest))
        return outcome

    def train_once(self: Any, *args: Any, **named: Any) -> Any:
        Evaluator.evaluate = evaluate  # type: ignore[method-assign]  (the trainer's evaluations count as training)
        try:
            return timed_train(self, *args, **named)
        finally:
            Evaluator.evaluate = timed_evaluate  # type: ignore[method-assign, assignment]

    timed_run, timed_train, timed_evaluate = (
        whole.timed(execution.train_or_resume),
        inner.timed(train),
        inner.timed(evaluate),
    )
    execution.train_or_resume = note
    FitTrainer.train = train_once  # type: ignore[method-assign]
    execution.run_all(config)
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=8)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = measure(runs)
        os.chdir(ROOT)
    print(f"{'run':>4} {'seconds':>8} {'training and evaluation':>24} {'rest':>6} {'rest, CPU':>16}")
    for number, (wall, inner, processor) in enumerate(found, 1):
        print(f"{number:>4} {wall:>8.2f} {inner:>24.2f} {wall - inner:>6.2f} {processor:>16.2f}")
    rest = median(wall - inner for wall, inner, _ in found)
    processor = median(seconds for _, _, seconds in found)
    print(f"overhead of a run: median {rest:.2f} s ({processor:.2f} s of CPU time); load {os.getloadavg()[0]:.1f}")
    return 0 if rest < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
