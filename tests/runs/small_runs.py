"""Small runs that take about a second, and their files."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path
from typing import Any

from helpers import Ended, Launcher, Running, flags

# Saturation comes soon, so that a run goes through all its stages.
TINY: dict[str, Any] = {
    "dataset_code": "synthetic",
    "synthetic_users": 80,
    "synthetic_items": 150,
    "synthetic_length": 15,
    "test_negative_sampler_code": ["popular", "random"],
    "test_negative_sample_size": 20,
    "metric_ks": [1, 10],
    "num_threads": 1,
    "experiment_group": "g",
    "experiment_name": "run",
}
TINY_VAE: dict[str, Any] = {
    **TINY,
    "model_code": "vae",
    "max_len": 8,
    "train_window": 2,
    "train_batch_size": 128,
    "hidden_layers": [16],
    "latent_size": 8,
    "lr": 0.01,
    "saturation_wait_epochs": 2,
    "checkpoint_seconds": 0,
}


class Place:
    """A folder to run in, and its files."""

    def __init__(self, folder: Path, launcher: Launcher) -> None:
        self.folder, self.launcher = folder, launcher
        folder.mkdir(exist_ok=True)

    @property
    def run_folder(self) -> Path:
        """The folder of TINY's run."""
        return self.folder / "experiments" / "g" / "run"

    def start(
        self,
        base: dict[str, Any] = TINY_VAE,
        die_at: int | None = None,
        die_of: signal.Signals = signal.SIGKILL,
        **changes: Any,
    ) -> Running:
        """Start a run."""
        return self.launcher.start(self.folder, *flags(**{**base, **changes}), die_at=die_at, die_of=die_of)

    def run(self, base: dict[str, Any] = TINY_VAE, die_at: int | None = None, **changes: Any) -> Ended:
        """Run to the end."""
        return self.start(base, die_at, **changes).wait()

    def results(self) -> dict[str, Any]:
        """Its results.json."""
        return dict(json.loads((self.run_folder / "results.json").read_text()))

    def status(self) -> dict[str, Any]:
        """Its status.json."""
        return dict(json.loads((self.run_folder / "status.json").read_text()))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outcome(folder: Path) -> dict[str, Any]:
    """What must not depend on interruptions: the bytes of some files, and the values in results.json."""
    files = ["models/best.safetensors", "per_user.parquet"]
    files += [f"tables/{name}_log.csv" for name in ("train", "val", "test")]
    results = json.loads((folder / "results.json").read_text())
    recorded = ("validation", "test", "best_epoch", "epochs", "stopped_by", "data", "protocol", "parameters", "label")
    return {
        **{name: (folder / name).read_bytes() for name in files},
        **{key: results[key] for key in recorded},
        "options": {key: value for key, value in results["options"].items() if key != "resume_training"},
    }
