"""What must hold on a GPU: every model trains, validates, resumes and exports there, and steps don't wait for the CPU.

Skipped without a GPU. `GPU_TESTS_DEVICE=cpu python -m pytest tests/gpu` tries the tests themselves.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import flags, small_options
from torch_counting import Waits

import main
from models import MODELS, FittedModel
from runs.api import configure
from runs.experiment import Experiment
from runs.trained import load_run
from trainers.optimization import add_gradients, clip_gradients, make_optimizer

DEVICE = os.environ.get("GPU_TESTS_DEVICE", "cuda")
CODES = sorted(MODELS)
TRAINED = [code for code in CODES if not issubclass(MODELS[code], FittedModel)]
FAST = ["sas", "hstu", "bert", "vae", "mult_vae"]  # whose steps wait once, to pick the positions with targets

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="there is no GPU"),
]


def arguments(folder: Path, code: str, **more: Any) -> list[str]:
    """The options of a small run."""
    kind = MODELS[code]
    data: dict[str, Any] = {"dataset_code": "synthetic", "synthetic_users": 60, "synthetic_items": 40}
    data |= {
        "synthetic_length": 12,
        "test_negative_sample_size": 5,
        "min_uc": 0,
        "min_sc": 0,
        "local_data_folder": folder / "Data",
    }
    if kind.dataloader_code == "item_ratings" or "ratings" in kind.needs:
        data |= {"split": "random_rating", "best_metric": "RMSE"}
    place = {"experiment_root": folder, "experiment_group": "runs", "experiment_name": code}
    return flags(
        **{"model_code": code, **data, **small_options(code), **place, "num_threads": 1, "device": DEVICE, **more}
    )


def results(folder: Path, code: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "runs" / code / "results.json").read_text())
    return found


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`main.py` with these arguments; skips the test if the generated data lacks what the model needs."""
    code = main.run(arguments)
    printed = capsys.readouterr()
    if code and any(reason in printed.err for reason in (" has no ratings", "pip install")):
        pytest.skip(printed.err.strip()[-100:])
    assert code == 0, printed.err


@pytest.mark.parametrize("code", CODES)
def test_every_model_trains_resumes_and_exports(tmp_path: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"num_epochs": 1} if code in TRAINED else {}
    run(arguments(tmp_path, code, **more), capsys)
    if code in TRAINED:
        run(arguments(tmp_path, code, num_epochs=2, resume_training=True), capsys)
    metrics = [value for group in results(tmp_path, code)["test"].values() for value in group.values()]
    assert metrics
    assert np.isfinite(metrics).all()
    if MODELS[code].export_refusal is None and MODELS[code].new_user_refusal is None:
        export = ["--mode", "export", "--pretrained_weights", str(tmp_path / "runs" / code)]
        run([*export, "--output", str(tmp_path / "exported"), "--device", DEVICE], capsys)


@pytest.mark.parametrize("code", ["sas", "bert", "vae", "ease"])
def test_scores_are_those_of_the_cpu(tmp_path: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(arguments(tmp_path, code, **({"num_epochs": 1} if code in TRAINED else {})), capsys)
    scores = []
    for name in (DEVICE, "cpu"):
        experiment = load_run(tmp_path / "runs" / code, device=name).experiment
        batch = next(iter(experiment.loader.evaluation(experiment.loader.split.test, 16))).to(experiment.device)
        with torch.no_grad():
            scores.append(experiment.model.scores(batch.inputs, None).float().cpu()[:, 1:])
    torch.testing.assert_close(*scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("code", FAST)
def test_steps_wait_for_the_device_at_most_once(tmp_path: Path, code: str) -> None:
    config = configure(arguments(tmp_path, code))
    experiment = Experiment.build(config)
    model, device, draws = experiment.model.train(), experiment.device, experiment.generators
    optimizer = make_optimizer(model.parameters(), config.trainer)
    batches = [batch.pinned() if device.type == "cuda" else batch for batch in experiment.loader.epoch(draws.loader)]

    def step(number: int) -> None:
        optimizer.zero_grad()
        add_gradients(model, batches[number % len(batches)].to(device), number, draws.model, None)
        clip_gradients(model.parameters(), 5.0)
        optimizer.step()

    step(0)  # warms up
    if device.type == "cpu":
        with Waits() as waits:
            step(1)
        found = [name for name in waits.found if name != "_local_scalar_dense"]  # that is done on the CPU only
    else:
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                step(1)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        found = [str(each.message) for each in caught if "synchroniz" in str(each.message)]
    assert len(found) <= 1, found
