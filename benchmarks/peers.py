"""Run the same work with other libraries and with this repository in turns, and print the ratios of the medians.

    python benchmarks/peers.py --data ml-1m-order.txt.gz --peers rectools=RECTOOLS/bin/python recbole=RECBOLE/bin/python

Each peer has an environment of its own, named by its Python: `pip install 'rectools[torch]'`, `recbole` or
`replay-rec[torch]`. The scripts in `benchmarks/peers/` use their public interfaces. The data has one `user item` per
line, ordered by time. A unit of work is a training epoch (on all but the last two items of each user) and a validation
of all users; the first epoch of each process warms up. Figures of the others' validation include their top 10, those of
this repository full and popularity-sampled ranks.

Prints a table, with the machine's limits: compare the ratios, not the seconds, with other machines. `--json FILE`
records it; `benchmarks/recorded/peers.json` is the one in docs/benchmarks.md.
"""

import argparse
import gzip
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.files import write_text
from docsgen.peers import KINDS, OURS, lines_of

FOLDER = Path(__file__).resolve().parent / "peers"
TRANSFORMER = {"blocks": 2, "heads": 2, "width": 64, "length": 200, "batch": 128, "dropout": 0.2, "lr": 0.001}
SHAPE = "--max_len 200 --hidden_units 64 --num_blocks 2 --num_heads 2 --dropout 0.2 --train_batch_size 128"
WORK: dict[str, dict[str, Any]] = {
    "sasrec": {**TRANSFORMER, "options": f"--templates train_sas_ce {SHAPE}".split()},
    "bert4rec": {**TRANSFORMER, "options": f"--templates train_bert --train_window null {SHAPE}".split()},
    "mult_vae": {
        **TRANSFORMER,
        "batch": 512,
        "options": ["--templates", "train_mult_vae", "--train_batch_size", "512"],
    },
}
SUPPORTED = {"rectools": {"sasrec", "bert4rec"}, "replay": {"sasrec", "bert4rec"}, "recbole": set(WORK)}


def main() -> None:
    """Run all, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="one `user item` per line, ordered by time; or .gz")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME=PYTHON", help=f"names: {', '.join(SUPPORTED)}")
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK), help="what to run (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each library, in turns (default: 3)")
    parser.add_argument("--epochs", type=int, default=1, help="timed epochs of a process, after one that warms up")
    parser.add_argument("--users", type=int, help="take this many users of the data, for a quick look (default: all)")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads (default: all cores)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    pythons = {OURS: sys.executable, **dict(entry.split("=", 1) for entry in arguments.peers)}
    if unknown := set(pythons) - {OURS, *SUPPORTED}:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as temporary:
        shared = {"threads": arguments.threads, "epochs": arguments.epochs + 1}
        shared |= write_data(arguments.data, Path(temporary), arguments.users)
        runs = [
            {"work": model, "library": name, "figures": run(name, pythons[name], model, shared, Path(temporary))}
            for model, _ in itertools.product(arguments.work, range(arguments.rounds))
            for name in pythons
            if name == OURS or model in SUPPORTED[name]
        ]
    record = {"machine": platform.processor() or platform.machine(), "load": os.getloadavg()[2], "runs": runs}
    record |= {"threads": arguments.threads, "rounds": arguments.rounds}
    record |= {"data": arguments.data.name, "users": shared["users"], "rows": shared["rows"]}
    print("\n".join(lines_of(record)))
    if arguments.json:
        write_text(arguments.json, json.dumps(record, indent=1) + "\n")


def write_data(source: Path, folder: Path, users: int | None) -> dict[str, Any]:
    """Write the data, and the training part without the last two items of each user; their paths and sizes."""
    content = source.read_bytes()
    text = (gzip.decompress(content) if source.suffix == ".gz" else content).decode()
    pairs = [(fields[0], fields[1]) for line in text.splitlines() if len(fields := line.split()) >= 2]
    chosen = set(list(dict.fromkeys(user for user, _ in pairs))[:users])
    pairs = [pair for pair in pairs if pair[0] in chosen]
    left = Counter(user for user, _ in pairs)
    training = []
    for user, item in pairs:
        left[user] -= 1
        if left[user] >= 2:
            training.append((user, item))
    paths = {"data": folder / "data.txt", "training": folder / "training.txt"}
    for path, rows in zip(paths.values(), (pairs, training), strict=True):
        path.write_text("".join(f"{user} {item}\n" for user, item in rows), encoding="utf-8")
    return {"users": len(chosen), "rows": len(pairs), **{key: str(path) for key, path in paths.items()}}


def run(name: str, python: str, model: str, shared: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The figures of one process of a library."""
    work = folder / "work.json"
    work.write_text(json.dumps({"model": model, **WORK[model], **shared}), encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": str(shared["threads"]), "CUDA_VISIBLE_DEVICES": ""}
    command = [python, str(FOLDER / f"with_{name}.py"), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    if done.returncode:
        sys.exit(f"{name} failed at {model}:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for kind in KINDS:  # the first one warms up
        for key in (kind, f"{kind}_cpu"):
            figures[key] = figures[key][1:]
    print(
        f"{model}, {name}: {', '.join(f'{kind} {statistics.median(figures[kind]):.2f} s' for kind in KINDS)}",
        flush=True,
    )
    return figures


if __name__ == "__main__":
    main()
