"""One unit of work with this repository, for `benchmarks/peers.py`: python with_ours.py WORK.json"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from timing import Clock, peak_mib

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from common.version import code_version
from runs.api import configure
from runs.experiment import Experiment
from trainers import TrainerSetup
from trainers.optimization import make_optimizer
from trainers.run_folder import RunFolder
from trainers.trainer import Trainer

SIZE = 2048
COPIED = 1 << 28  # bytes


def main() -> None:
    """Train, evaluate, and print the figures with the machine's limits."""
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        data = ["--dataset_code", "file", "--dataset_path", work["data"], "--min_uc", "0", "--min_sc", "0"]
        data += ["--local_data_folder", folder, "--num_threads", str(work["threads"])]
        config = configure([*work["options"], *data])
        experiment = Experiment.build(config)
        model, evaluator = experiment.model, experiment.evaluator
        setup = TrainerSetup(
            model, experiment.loader, evaluator, RunFolder(Path(folder)), experiment.generators, experiment.device
        )
        trainer = config.trainer_class(config.trainer, setup)
        if not isinstance(trainer, Trainer):
            sys.exit(f"model {model.code} isn't trained in epochs")
        trainer.optimizer = make_optimizer(model.parameters(), trainer.options)
        model.begin_stage(trainer.stages()[0])
        for _ in range(work["epochs"]):
            clock.begin()
            trainer.train_pass()
            clock.end("epoch")
            clock.begin()
            evaluator.evaluate(model, experiment.device, "validation")
            clock.end("validation")
    figures = {**clock.figures, "peak_mib": peak_mib(), "version": code_version()}
    print(json.dumps({**figures, "limits": limits()}))  # measured last, as they need memory, too


def limits() -> dict[str, float]:
    """GFLOP/s of matrix products of 2,048 x 2,048, and GB/s read and written by a copy; the best of six."""
    found = {}
    for name, kind in (("fp32_gflops", torch.float32), ("bf16_gflops", torch.bfloat16)):
        one, other = torch.randn(SIZE, SIZE).to(kind), torch.randn(SIZE, SIZE).to(kind)
        found[name] = 2 * SIZE**3 / 1e9 / _best(lambda one=one, other=other: one @ other)
    source, target = torch.ones(COPIED // 4), torch.empty(COPIED // 4)
    found["copy_gb_per_s"] = 2 * COPIED / 1e9 / _best(lambda: target.copy_(source))
    return found


def _best(work: Callable[[], object]) -> float:
    """The shortest of six times, in seconds."""
    times = []
    for _ in range(6):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()
