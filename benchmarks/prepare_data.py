"""How long preparing a dataset takes, and how much memory: ML-1M's and ML-20M's sizes, generated in their formats.

    python benchmarks/prepare_data.py [--folder DIR] [--codes ml-1m ml-20m] [--json FILE]

The raw files are generated once (by arrays, not read from anywhere), then each dataset is prepared in a process of
its own, twice: the second time it is found prepared. Prints seconds, peak resident memory and the load of the machine.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Shape:
    """A dataset's size and its raw file's form."""

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
LIMITS = {"ml-1m": (3.0, 4096.0), "ml-20m": (45.0, 4096.0)}  # seconds, MiB

PREPARE = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
started = time.perf_counter()
import datasets
imported = time.perf_counter()
options = datasets.DATASETS[sys.argv[2]].Options(local_data_folder=sys.argv[3])
data = datasets.load(sys.argv[2], options)
loaded = time.perf_counter()
print(json.dumps({
    "import_seconds": imported - started,
    "seconds": loaded - imported,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "users": data.num_users, "items": data.num_items, "interactions": data.num_interactions,
}))
"""


def generate(shape: Shape, path: Path) -> None:
    """Write a raw file: users one after another, popular items often, times not in order (as in MovieLens)."""
    random = np.random.default_rng(0)
    lengths = 20 + random.multinomial(shape.rows - 20 * shape.users, random.dirichlet(np.full(shape.users, 0.5)))
    user = np.repeat(np.arange(1, shape.users + 1), lengths)
    weights = np.arange(1, shape.items + 1) ** -0.8
    item = 1 + random.choice(shape.items, size=shape.rows, p=weights / weights.sum())
    item[: shape.items] = np.arange(1, shape.items + 1)  # each occurs
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


def measure(code: str, folder: Path) -> dict[str, float]:
    """Prepare (or find prepared) a dataset in a process of its own."""
    load = os.getloadavg()[0]
    command = [sys.executable, "-c", PREPARE, str(ROOT), code, str(folder)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(output.splitlines()[-1]), "load_before": load}


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where generated files are kept; default: a temporary folder")
    parser.add_argument("--codes", nargs="+", choices=SHAPES, default=list(SHAPES), help="datasets to measure")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)) / "generated"
        for code in arguments.codes:
            path = folder / code / SHAPES[code].file
            if not path.exists():
                generate(SHAPES[code], path)
            shutil.rmtree(folder / "prepared", ignore_errors=True)  # so that it is prepared anew
            figures[code] = {"prepare": measure(code, folder), "cached": measure(code, folder)}
            seconds, peak = LIMITS[code]
            for what, figure in figures[code].items():
                print(
                    f"{code:8} {what:8} {figure['seconds']:7.2f} s {figure['peak_mib']:8.0f} MiB "
                    f"(import {figure['import_seconds']:.2f} s; limits {seconds:g} s, {peak:g} MiB; "
                    f"load before {figure['load_before']:.1f} on {os.cpu_count()} cores)"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
