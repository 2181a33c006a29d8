"""Measure the time and memory of dataset preparation, on generated files with the format and size of ML-1M and ML-20M.

    python benchmarks/prepare_data.py [--folder DIR] [--codes ml-1m ml-20m parquet-100m parquet-400m] [--json FILE]

`parquet-100m` and `parquet-400m` are Parquet logs of a shop: 100 or 400 million rows (1.5 or 6 GB) sorted by time, with
interleaved users and a million items whose popularity follows Zipf's law. They are generated only if named.

Each dataset is loaded twice, each time in a new process: the first load prepares it, the second one reads the cache.
Prints seconds, peak resident memory and the load of the machine; exits with code 1 if time or memory exceeds its limit.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Shape:
    """Size of a dataset and format of its raw file."""

    file: str
    rows: int
    users: int
    items: int
    separator: str
    header: str


SHAPES = {
    "ml-1m": Shape("ratings.dat", 1_000_209, 6_040, 3_706, "::", ""),
    "ml-20m": Shape("ratings.csv", 20_000_263, 138_493, 26_744, ",", "userId,movieId,rating,timestamp\n"),
}
LOGS = {"parquet-100m": (100_000_000, 5_000_000), "parquet-400m": (400_000_000, 20_000_000)}  # rows, users
LOG_ITEMS = 1_000_000
LIMITS = {  # seconds, MiB
    "ml-1m": (3.0, 4096.0),
    "ml-20m": (45.0, 4096.0),
    "parquet-100m": (180.0, 6144.0),
    "parquet-400m": (1200.0, 8192.0),
}

SETTLED = 3.0  # seconds; the hash of a file that was just written isn't cached

PREPARE = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
started = time.perf_counter()
import datasets
imported = time.perf_counter()
code, path = (sys.argv[2], None) if len(sys.argv) < 5 else ("file", sys.argv[4])
limit = {"memory_limit": "4GB"} if path and "400m" in path else {}
given = {"local_data_folder": sys.argv[3], **({"dataset_path": path, **limit} if path else {})}
data = datasets.load(code, datasets.DATASETS[code].Options(**given))
loaded = time.perf_counter()
print(json.dumps({
    "import_seconds": imported - started,
    "seconds": loaded - imported,
    "cpu_seconds": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "users": data.num_users, "items": data.num_items, "interactions": data.num_interactions,
}))
"""


def generate(shape: Shape, path: Path) -> None:
    """Write a raw file as in MovieLens: grouped by user, with skewed item popularity, not sorted by time."""
    random = np.random.default_rng(0)
    lengths = 20 + random.multinomial(shape.rows - 20 * shape.users, random.dirichlet(np.full(shape.users, 0.5)))
    user = np.repeat(np.arange(1, shape.users + 1), lengths)
    weights = np.arange(1, shape.items + 1) ** -0.8
    item = 1 + random.choice(shape.items, size=shape.rows, p=weights / weights.sum())
    item[: shape.items] = np.arange(1, shape.items + 1)  # every item occurs
    rating = random.integers(1, 11, shape.rows) / 2 if shape.header else random.integers(1, 6, shape.rows)
    second = 978_300_000 + random.integers(0, 10**8, shape.users)[user - 1] + random.integers(0, 10**6, shape.rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    chunk = 1_000_000
    with open(path, "w", encoding="ascii") as file:
        file.write(shape.header)
        for start in range(0, shape.rows, chunk):
            part = slice(start, start + chunk)
            columns = [pd.Series(column[part]).astype(str) for column in (user, item, rating, second)]
            lines = columns[0].str.cat(columns[1:], sep=shape.separator)
            file.write("\n".join(lines) + "\n")


def generate_log(path: Path, rows: int, users: int) -> None:
    """Write a Parquet log, a million rows at a time: sorted by time, with interleaved users."""
    random = np.random.default_rng(0)
    chunk = 1_000_000
    popularity = np.cumsum(1 / np.arange(1, LOG_ITEMS + 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema({"user_id": pa.int64(), "item_id": pa.int64(), "timestamp": pa.int64()})
    second = 978_300_000
    with pq.ParquetWriter(path, schema, use_dictionary=["item_id"]) as writer:
        for _ in range(rows // chunk):
            later = second + np.cumsum(random.integers(0, 3, chunk))
            columns = {
                "user_id": 7 * random.integers(0, users, chunk),
                "item_id": 1 + np.searchsorted(popularity, random.random(chunk) * popularity[-1]),
                "timestamp": later,
            }
            writer.write_table(pa.table(columns, schema=schema))
            second = int(later[-1])


def measure(code: str, folder: Path) -> dict[str, float]:
    """Load a dataset in a new process and return its figures."""
    load = os.getloadavg()[0]
    own_file = [str(folder / f"{code}.parquet")] if code in LOGS else []
    command = [sys.executable, "-c", PREPARE, str(ROOT), code, str(folder), *own_file]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(output.splitlines()[-1]), "load_before": load}


def main() -> None:
    """Generate the files, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder for the generated files (default: a temporary folder)")
    parser.add_argument("--codes", nargs="+", choices=LIMITS, default=list(SHAPES), help="datasets to measure")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    figures = {}
    beyond = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)) / "generated"
        for code in arguments.codes:
            if code in LOGS and not (folder / f"{code}.parquet").exists():
                generate_log(folder / f"{code}.parquet", *LOGS[code])
            elif code in SHAPES and not (folder / code / SHAPES[code].file).exists():
                generate(SHAPES[code], folder / code / SHAPES[code].file)
            shutil.rmtree(folder / "prepared", ignore_errors=True)  # clear the cache
            time.sleep(SETTLED)
            figures[code] = {"prepare": measure(code, folder), "cached": measure(code, folder)}
            seconds, peak = LIMITS[code]
            beyond |= any(f["seconds"] > seconds or f["peak_mib"] > peak for f in figures[code].values())
            for what, figure in figures[code].items():
                print(
                    f"{code:8} {what:8} {figure['seconds']:7.2f} s "
                    f"({figure['cpu_seconds']:.1f} s of CPU) {figure['peak_mib']:8.0f} MiB "
                    f"(import {figure['import_seconds']:.2f} s; limits {seconds:g} s, {peak:g} MiB; "
                    f"load before {figure['load_before']:.1f} on {os.cpu_count()} cores)"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if beyond else 0)


if __name__ == "__main__":
    main()
