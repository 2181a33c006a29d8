"""Whether two checkouts compute the same numbers, bit for bit: a golden test for changes that should change none.

    python benchmarks/same_bits.py --checkout OTHER > golden.json   what another checkout computes
    python benchmarks/same_bits.py --against golden.json            compare this checkout with it

Runs a few small jobs through `main.py` in a temporary folder, offline and with one thread: the quick start, one short
run of each trainer, a rating model, a comparison that is killed and resumed, and a search. Prints, for each run, its
metrics, epochs and the SHA-256 of its per-user metrics and best weights. With --against, names each difference and
exits 1 if there is one. Takes about a minute. Compare only numbers of one machine: another CPU or version of torch may
round differently.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 240  # seconds after which a job counts as hanging

SMALL_DATA = "--synthetic_users 300 --synthetic_items 150 --synthetic_length 15"
SYNTHETIC = f"--dataset_code synthetic {SMALL_DATA}"
SHORT = f"{SYNTHETIC} --metric_ks 1 10 --test_negative_sample_size 50 --num_threads 1"
SAS = "--max_len 8 --num_blocks 1 --num_epochs 3 --train_batch_size 64"
JOBS = {
    "quick start": "--templates quickstart --num_epochs 4 --num_threads 1",
    "generic trainer": f"--templates train_sas_ce {SHORT} {SAS} --seed 7",
    "generic trainer, negatives": f"--templates train_sas {SHORT} {SAS}",
    "vae trainer, stages": f"--templates train_vae {SHORT} --max_len 8 --train_window 2 --saturation_wait_epochs 1 "
    "--num_epochs 12 --train_batch_size 128",
    "fit trainer": f"--templates train_ease {SHORT}",
    "fit trainer, ratings": f"--templates random_rating {SYNTHETIC} --num_threads 1",
    "generic trainer, ratings": f"--templates train_autorec {SYNTHETIC} --num_threads 1 --num_epochs 3",
    "search": f"--mode tune --templates train_sas_ce {SHORT} {SAS} --num_trials 3 --startup_trials 1",
}
SEARCH = "{lr: {log_uniform: [0.001, 0.1]}, dropout: {uniform: [0.0, 0.5]}}"
INTERRUPTED = "comparison, killed and resumed"
INTERRUPTED_WORDS = (
    "--mode compare --runs train_vae --datasets synthetic --seeds 3 4 --max_len 8 --train_window 2 --num_epochs 6 "
    f"--checkpoint_seconds 0 --metric_ks 1 10 --num_threads 1 {SMALL_DATA}"
)
COMPARED = ("validation", "test", "best_epoch", "epochs", "stopped_by")


def start(checkout: Path, folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start `main.py` of a checkout in a folder; what it prints goes to a file there."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(checkout / "main.py"), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    with open(folder / "printed.txt", "ab") as printed:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=printed)


def finish(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for the end of a job. Exits if it failed."""
    if process.wait(PATIENCE) != 0:
        sys.exit(f"{' '.join(map(str, process.args))}\n{(folder / 'printed.txt').read_text()}")


def kill_then_resume(checkout: Path, folder: Path, words: list[str]) -> None:
    """Kill a comparison as soon as its first run has a checkpoint, then run it again."""
    process = start(checkout, folder, words)
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("experiments/**/recent-*.safetensors")):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit(f"the comparison wrote no checkpoint:\n{(folder / 'printed.txt').read_text()}")
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if list(folder.glob("experiments/**/results.json")):
        sys.exit("the comparison was killed too late: its first run has finished")
    finish(start(checkout, folder, words), folder)


def digest(parts: Iterable[bytes]) -> str:
    """SHA-256 of bytes that follow one another."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def run_outcome(folder: Path, results: dict[str, Any]) -> dict[str, Any]:
    """What a finished run computed."""
    weights = load_file(folder / "models" / "best.safetensors")
    per_user = pd.read_parquet(folder / "per_user.parquet")
    return {
        **{key: results[key] for key in COMPARED},
        "weights": digest(
            f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes()
            for name, tensor in sorted(weights.items())
        ),
        "per_user": {
            str(name): digest([pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()])
            for name, column in per_user.items()
        },
    }


def search_outcome(path: Path) -> dict[str, Any]:
    """What a search found: its summary, and its trials but for their time."""
    summary = json.loads(path.read_text())
    with open(path.with_name("trials.csv"), encoding="utf-8", newline="") as file:
        trials = [{key: value for key, value in row.items() if key != "minutes"} for row in csv.DictReader(file)]
    return {"values": summary["values"], "trials": trials}


def outcomes(checkout: Path, show: Callable[[str], object]) -> dict[str, Any]:
    """{"job: label, seed": what was computed} of all jobs."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for job, words in [*JOBS.items(), (INTERRUPTED, INTERRUPTED_WORDS)]:
            show(job)
            folder = Path(temporary, job.replace(" ", "-"))
            if job == INTERRUPTED:
                kill_then_resume(checkout, folder, words.split())
            else:
                more = ["--search", SEARCH] if job == "search" else []
                finish(start(checkout, folder, words.split() + more), folder)
            for path in sorted(folder.glob("experiments/*/*/results.json")):
                results = json.loads(path.read_text())
                name = f"{job}: {results['label']}, seed {results['seed']}"
                if name in found:
                    sys.exit(f"two runs are called {name!r}")
                found[name] = run_outcome(path.parent, results)
            for path in sorted(folder.glob("experiments/**/tuning.json")):
                found[job] = search_outcome(path)
    return found


def differences(golden: object, now: object, name: str = "") -> Iterator[str]:
    """Where two outcomes differ."""
    if isinstance(golden, dict) and isinstance(now, dict):
        for key in golden.keys() | now.keys():
            here = f"{name} / {key}" if name else str(key)
            if key not in golden or key not in now:
                yield f"{here}: only in {'the golden file' if key in golden else 'this checkout'}"
            else:
                yield from differences(golden[key], now[key], here)
    elif golden != now:
        yield f"{name}: {golden} became {now}"


def main() -> int:
    """Run the jobs; print or compare what they computed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the checkout whose main.py is run; default: this")
    parser.add_argument("--against", type=Path, help="a JSON file printed before, to compare with")
    arguments = parser.parse_args()
    golden = None if arguments.against is None else json.loads(arguments.against.read_text())
    found = outcomes(arguments.checkout.resolve(), lambda job: print(job, file=sys.stderr))
    found = json.loads(json.dumps(found))
    if golden is None:
        print(json.dumps(found, indent=1))
        return 0
    wrong = sorted(differences(golden, found))
    print("\n".join(wrong) or f"the same, bit for bit: {len(found)} outcomes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
