"""Read generated files with this repository's readers and with DuckDB: CPU seconds and peak memory.

    python benchmarks/compare_readers.py [--codes ml-20m parquet-100m] [--folder DIR] [--memory_limit 4GB]

Each way is a process of its own. Text: this repository; DuckDB reading text, followed by this repository's checks of
ids, ratings and times; DuckDB guessing types. Parquet: the columns alone; and with dense ids, counts and the order by
user and time, for which this repository's figure is that of its whole preparation. Needs requirements-sql.txt.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
import numpy as np
import pyarrow as pa
from prepare_data import LOGS, SHAPES, generate, generate_log

import datasets
from datasets.file import File
from datasets.readers.table import BadRows, RawTable
from datasets.readers.values import to_interactions

BATCH_ROWS = 1 << 18
DENSE = """
WITH u AS (SELECT user_id, row_number() OVER (ORDER BY user_id) AS code, n
           FROM (SELECT user_id, count(*) AS n FROM data GROUP BY 1)),
     i AS (SELECT item_id, row_number() OVER (ORDER BY item_id) AS code, n
           FROM (SELECT item_id, count(*) AS n FROM data GROUP BY 1))
SELECT u.code::INT AS u, i.code::INT AS i, data.timestamp
FROM data JOIN u USING (user_id) JOIN i USING (item_id) WHERE u.n >= 5 AND i.n >= 5
ORDER BY u.code, data.timestamp, data.file_row_number
"""


def here(path: Path, limit: str) -> None:
    """Read the file as dataset `file` does."""
    File().read(File.Options(dataset_path=path))


def prepared_here(path: Path, limit: str) -> None:
    """Prepare the file, with ids, filter, order, hash and cache."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        datasets.load("file", File.Options(dataset_path=path, local_data_folder=Path(folder)))


def _connected(path: Path, limit: str, **how: Any) -> duckdb.DuckDBPyConnection:
    """A connection whose table `data` is the file."""
    connection = duckdb.connect()
    connection.execute("SET memory_limit = $1", [limit])
    connection.execute("SET temp_directory = $1", [str(path.parent / "spilled")])
    read = connection.read_parquet if path.suffix == ".parquet" else connection.read_csv
    read(str(path), **how).create_view("data")
    return connection


def _as_arrays(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep the columns as arrays."""
    batches = connection.sql("SELECT * FROM data").to_arrow_reader(BATCH_ROWS)
    parts = [[column.to_numpy(zero_copy_only=False) for column in batch.columns] for batch in batches]
    for place in range(len(parts[0])):
        np.concatenate([part[place] for part in parts])


def typed(path: Path, limit: str) -> None:
    """DuckDB reads the file, and guesses the types of text."""
    _as_arrays(_connected(path, limit))


def text(path: Path, limit: str) -> None:
    """DuckDB reads a CSV file as text, which this repository checks and converts."""
    columns: list[list[pa.Array]] = [[], [], [], []]
    connection = _connected(path, limit, all_varchar=True)
    for batch in connection.sql("SELECT * FROM data").to_arrow_reader(BATCH_ROWS):
        for column, part in zip(columns, batch.columns, strict=True):
            column.append(part)
    names = ("user", "item", "rating", "timestamp")
    table = {name: pa.chunked_array(parts) for name, parts in zip(names, columns, strict=True)}
    to_interactions(RawTable(path, table, lambda row: f"row {row + 1}"), BadRows())


def dense(path: Path, limit: str) -> None:
    """DuckDB makes dense ids, counts, filters once and sorts."""
    for batch in _connected(path, limit, file_row_number=True).sql(DENSE).to_arrow_reader(BATCH_ROWS):
        del batch


WAYS: dict[str, list[Callable[[Path, str], None]]] = {
    ".csv": [here, text, typed],
    ".parquet": [here, typed, prepared_here, dense],
}


def main() -> None:
    """Generate the files, and start a process for each way to read them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", nargs="+", choices=["ml-20m", *LOGS], default=["ml-20m"], help="default: ml-20m")
    parser.add_argument("--folder", type=Path, help="folder of the files, which stay there (default: a temporary one)")
    parser.add_argument("--memory_limit", default="4GB", help="of DuckDB (default: 4GB)")
    parser.add_argument("--way", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        name, file = arguments.way
        way = next(way for ways in WAYS.values() for way in ways if way.__name__ == name)
        began = time.process_time()
        way(Path(file), arguments.memory_limit)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{Path(file).name:24} {name:14} {time.process_time() - began:7.1f} s of CPU {peak:6.2f} GiB", flush=True)
        return
    with tempfile.TemporaryDirectory() as temporary:
        for code in arguments.codes:
            path = (arguments.folder or Path(temporary)) / f"{code}{'.parquet' if code in LOGS else '.csv'}"
            if not path.exists():
                generate_log(path, *LOGS[code]) if code in LOGS else generate(SHAPES[code], path)
            for way in WAYS[path.suffix]:
                command = [sys.executable, __file__, "--memory_limit", arguments.memory_limit]
                subprocess.run([*command, "--way", way.__name__, str(path)], check=True)


if __name__ == "__main__":
    main()
