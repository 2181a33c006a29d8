"""Measure training steps, evaluation and memory on a generated catalogue of about a million items.

    python benchmarks/large_catalogue.py [--users N] [--items N] [--interactions N] [--steps N] [OPTION OF main.py ...]

The default is the template `train_sas_large` (SASRec with `sampled_ce`, 256 negatives, length 50, 64 units, batches of
64 windows) on 300,000 users, 942,021 items and 6 million interactions, whose popularity follows Zipf's law. Every
further option is one of `main.py`, for instance `--item_optimizer dense --share_negatives false`. The data is generated
and prepared once in `--folder`.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from runs.api import configure
from runs.config import ExperimentConfig
from runs.experiment import Experiment
from trainers.device import describe_device, peak_memory_mib
from trainers.optimization import add_gradients, clip_gradients, make_optimizer

SETTINGS = ["--templates", "train_sas_large", "--min_sc", "0", "--min_uc", "0"]


def generate(path: Path, users: int, items: int, interactions: int) -> None:
    """Write a Parquet log of interactions: every item occurs, and popularity follows Zipf's law."""
    random = np.random.default_rng(0)
    popularity = np.cumsum(1 / np.arange(1, items + 1))
    item = np.searchsorted(popularity, random.random(interactions) * popularity[-1]).astype(np.int64)
    item[:items] = np.arange(items)
    user = np.concatenate([np.repeat(np.arange(users), 5), random.integers(0, users, interactions - 5 * users)])
    random.shuffle(user)
    time_ = np.arange(interactions, dtype=np.int64) + 1_500_000_000
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"user_id": user.astype(np.int64), "item_id": item, "timestamp": time_})
    pq.write_table(table, path, use_dictionary=False)


def main() -> None:
    """Generate, train some steps, evaluate some users, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder of the generated data (default: a temporary folder)")
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--items", type=int, default=942_021)
    parser.add_argument("--interactions", type=int, default=6_000_000)
    parser.add_argument("--steps", type=int, default=20, help="training steps to time, after two for warming up")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        path = folder / f"{arguments.users}-{arguments.items}-{arguments.interactions}.parquet"
        if not path.exists():
            generate(path, arguments.users, arguments.items, arguments.interactions)
        data = ["--dataset_code", "file", "--dataset_path", str(path), "--local_data_folder", str(folder)]
        measure(configure([*SETTINGS, *data, *options]), arguments.steps)


def measure(config: ExperimentConfig, steps: int) -> None:
    """Print the seconds of building, of a training step and of an evaluation, and the peak memory after each."""
    began = time.perf_counter()
    experiment = Experiment.build(config)
    model, loader, device = experiment.model, experiment.loader, experiment.device
    print(f"{model.code}, {loader.data.num_users} users, {loader.data.num_items} items, {describe_device(device)}")
    print(f"build: {time.perf_counter() - began:.1f} s, peak memory {peak_memory_mib(device):.0f} MiB", flush=True)
    if config.trainer.item_optimizer != "dense":
        model.use_sparse_gradients()
    optimizer = make_optimizer(model.parameters(), config.trainer)
    model.train()
    batches = loader.epoch(experiment.generators.loader)
    seconds, cpu_seconds = [], []
    for step in range(steps + 2):
        began, cpu_began = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        batch = next(batches).to(device)
        positions = model.cpu_positions if device.type == "cpu" else None
        losses = add_gradients(model, batch, step, experiment.generators.model, positions)
        clip_gradients(model.parameters(), config.trainer.clip_grad_norm)
        optimizer.step()
        losses["loss"].item()
        seconds.append(time.perf_counter() - began)
        cpu_seconds.append(time.process_time() - cpu_began)
    print(
        f"step: median {statistics.median(seconds[2:]):.3f} s, {min(seconds[2:]):.3f} to {max(seconds[2:]):.3f} "
        f"({statistics.median(cpu_seconds[2:]):.3f} s of CPU); "
        f"{loader.batches_per_epoch()} steps an epoch; peak memory {peak_memory_mib(device):.0f} MiB",
        flush=True,
    )
    del optimizer
    users = len(experiment.evaluator.heldout("validation").users)
    began, cpu_began = time.perf_counter(), time.process_time()
    experiment.evaluator.evaluate(model, device, "validation")
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    print(
        f"evaluation: {users} users in {spent:.1f} s ({cpu:.1f} s of CPU), {users / spent:.0f} users a second; "
        f"peak memory {peak_memory_mib(device):.0f} MiB; float32 matmul precision "
        f"{torch.get_float32_matmul_precision()}"
    )


if __name__ == "__main__":
    main()
