"""Measure the seconds of a training epoch and of a validation, and the peak memory.

    python benchmarks/epoch_speed.py --templates train_vae --precision bf16

Takes the options of `main.py`. The environment variable `EPOCHS` sets the number of timed epochs (default 3); one
warm-up epoch comes before them. Writes no files.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from runs.api import configure
from runs.experiment import Experiment
from trainers import TrainerSetup
from trainers.device import describe_device, peak_memory_mib
from trainers.optimization import make_optimizer
from trainers.run_folder import RunFolder
from trainers.trainer import Trainer


def main() -> None:
    """Train, time and print."""
    config = configure(sys.argv[1:])
    experiment = Experiment.build(config)
    device, loader, model = experiment.device, experiment.loader, experiment.model
    evaluator, generators = experiment.evaluator, experiment.generators
    with tempfile.TemporaryDirectory() as folder:
        setup = TrainerSetup(model, loader, evaluator, RunFolder(Path(folder)), generators, device)
        trainer = config.trainer_class(config.trainer, setup)
        if not isinstance(trainer, Trainer):
            sys.exit(f"model {model.code} isn't trained in epochs")
        trainer.optimizer = make_optimizer(model.parameters(), trainer.options)
        model.begin_stage(trainer.stages()[0])
        training, validation = [], []
        for _ in range(1 + int(os.environ.get("EPOCHS", "3"))):
            began = time.perf_counter()
            trainer.train_pass()
            training.append(time.perf_counter() - began)
            began = time.perf_counter()
            evaluator.evaluate(model, device, "validation")
            validation.append(time.perf_counter() - began)
    print(
        f"{model.code} on {loader.data.name}: {loader.batches_per_epoch()} batches an epoch, {describe_device(device)}"
    )
    print(f"float32 matmul precision: {torch.get_float32_matmul_precision()}; load {os.getloadavg()[0]:.1f}")
    for name, seconds in (("epoch", training[1:]), ("validation", validation[1:])):
        print(f"{name}: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f}")
    print(f"peak memory: {peak_memory_mib(device):.0f} MiB")


if __name__ == "__main__":
    main()
