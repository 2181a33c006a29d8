"""Measure what `appended_paths` saves: a large file of interactions, then two nights that add a little to it.

    python benchmarks/append_night.py [--rows 10000000] [--night 30000] [--folder DIR]

Generates CSV files with a user for each 20 rows and up to 400,000 items, sorted by time, and loads them as dataset
`file`: the large one alone, with one night (which reads all files), with two nights (which reads the last one alone),
and as one file with all rows. Prints wall and CPU seconds, and the hash, which must be the same for the last two.
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd

import datasets
from datasets.file_options import FileOptions

ITEMS, START = 400_000, 1_600_000_000


def generate(path: Path, rows: int, users: int, begin: int, end: int, random: np.random.Generator) -> pd.DataFrame:
    """Write a file of interactions between two seconds, in order of time, and return it."""
    table = {
        "user": random.integers(0, users, rows),
        "item": np.minimum((random.pareto(1.0, rows) * 2000).astype(int), ITEMS - 1),
        "timestamp": np.sort(random.integers(begin, end, rows)),
    }
    frame = pd.DataFrame(table)
    frame.to_csv(path, index=False)
    return frame


def load(what: str, path: Path, appended: tuple[Path, ...] | None, folder: Path) -> str:
    """Load the data, print the time it took, and return its hash."""
    options = FileOptions(dataset_path=path, appended_paths=appended, dataset_name="log", local_data_folder=folder)
    wall, cpu = time.perf_counter(), time.process_time()
    data = datasets.load("file", options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{what:28} {wall:6.1f} s {cpu:6.1f} s of CPU  {data.num_interactions:,} interactions  {data.hash}", flush=True
    )
    return data.hash


def main() -> int:
    """Generate, load and print; returns 1 if the pieces give other data than the whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the large file (default: 10 million)")
    parser.add_argument("--night", type=int, default=30_000, help="rows of each night (default: 30,000)")
    parser.add_argument("--folder", type=Path, help="folder of the files (default: a temporary one)")
    arguments = parser.parse_args()
    logging.getLogger("datasets").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        folder, random, day = arguments.folder or Path(temporary), np.random.default_rng(0), 86_400
        folder.mkdir(parents=True, exist_ok=True)
        users = arguments.rows // 20
        base, first, second, whole = (folder / f"{name}.csv" for name in ("base", "night1", "night2", "whole"))
        frames = [
            generate(base, arguments.rows, users, START, START + 347 * day, random),
            generate(first, arguments.night, users, START + 347 * day, START + 348 * day, random),
            generate(second, arguments.night, users, START + 348 * day, START + 349 * day, random),
        ]
        pd.concat(frames).to_csv(whole, index=False)
        load("the large file", base, None, folder / "Data")
        load("with one night", base, (first,), folder / "Data")
        pieces = load("with two nights", base, (first, second), folder / "Data")
        return int(load("all rows in one file", whole, None, folder / "Data") != pieces)


if __name__ == "__main__":
    sys.exit(main())
