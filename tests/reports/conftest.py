"""Made-up recorded runs for the tests of reports."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import runs.run_options  # noqa: F401  (the roles of options are known once their schemas are imported)

Record = Callable[..., Path]


def write_tables(folder: Path, curve: list[tuple[str, float]]) -> None:
    """Write the tables of a run folder from (stage, validation NDCG@10) by epoch."""
    folder.mkdir()
    tables = {
        "train": ["epoch,stage,lr,loss", *(f"{n},{stage},0.1,{100 / n}" for n, (stage, _) in enumerate(curve, 1))],
        "val": [
            "epoch,stage,full/NDCG@10,full/MRR",
            *(f"{n},{stage},{value!r},0.5" for n, (stage, value) in enumerate(curve, 1)),
        ],
        "time": ["epoch,seconds", *(f"{n},{n}.25" for n in range(1, len(curve) + 1))],
    }
    for name, lines in tables.items():
        (folder / f"{name}_log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Write a run's results to `tmp_path/<name>/results.json`, and per-user values if given; returns the file.

    values: test metrics, {"full": {"NDCG@10": .1}, ...}. curve: (stage, validation NDCG@10 on full) by epoch.
    changes: replace keys of results.json.
    """

    def write(
        label: str,
        values: dict[str, dict[str, float]] | None = None,
        *,
        seed: int = 0,
        name: str | None = None,
        options: dict[str, Any] | None = None,
        per_user: dict[str, Any] | None = None,
        users: list[str] | None = None,
        curve: list[tuple[str, float]] | None = None,
        **changes: Any,
    ) -> Path:
        metrics = {"full": {"NDCG@10": 0.1, "Recall@10": 0.2}} if values is None else values
        content = {
            "schema": 1,
            "label": label,
            "template": "train_vae",
            "model_code": "vae",
            "dataset_code": "ml-1m",
            "split": "leave_one_out",
            "filter_seen": True,
            "seed": seed,
            "options": {"lr": 0.1, "seed": seed, "test_negative_sample_size": 100, **(options or {})},
            "data": {"name": "ml-1m", "hash": "abc", "users": 4, "items": 9, "interactions": 40},
            "best_epoch": 7,
            "epochs": 10,
            "minutes": 1.5,
            "peak_memory_mib": 500.0,
            "parameters": 1234567,
            "device": "cpu",
            "command": "python main.py",
            "versions": {"code": "0.1.0"},
            "protocol": {"ties": "pessimistic"},
            "validation": metrics,
            "test": metrics,
            "finished": "2026-01-01T00:00:00",
            **changes,
        }
        path = tmp_path / (name or f"{label}-{seed}") / "results.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        if per_user is not None:
            rows = len(next(iter(per_user.values())))
            frame = pd.DataFrame({"user": users or [str(user) for user in range(rows)]})
            for column, row in per_user.items():
                frame[column] = np.asarray(row, dtype=np.float32)
            frame.to_parquet(path.parent / "per_user.parquet", index=False)
        if curve is not None:
            write_tables(path.parent / "tables", curve)
        return path

    write.folder = tmp_path  # type: ignore[attr-defined]
    return write
