"""Command blend: weights found on validation, and what is computed with them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import TINY, Place

from evaluation import per_user_metrics, target_ranks
from runs.blend import find_weights, reciprocal_ranks, standardised
from runs.trained import load_run

PARTS = ("ease", "markov", "pop")


@pytest.fixture
def parts(place: Place) -> list[Path]:
    """Three runs on the same data."""
    base = {**TINY, "synthetic_users": 300, "validation_candidates": "full", "best_metric": "NDCG@10"}
    for code in PARTS:
        place.run({**base, "model_code": code, "experiment_name": code}).ok()
    return [place.run_folder.parent / code for code in PARTS]


def blended(place: Place, parts: list[Path], *more: str) -> dict:
    words = ["--mode", "blend", "--parts", *map(str, parts), "--num_threads", "1", *more]
    place.launcher.run(place.folder, *words, "--experiment_group", "b", "--experiment_name", "all").ok()
    return dict(json.loads((place.folder / "experiments" / "b" / "all" / "results.json").read_text()))


@pytest.mark.parametrize("blend_by, comparable", [("scores", standardised), ("ranks", reciprocal_ranks)])
def test_a_blend_is_at_least_its_best_part(place: Place, parts: list[Path], blend_by: str, comparable: object) -> None:
    results = blended(place, parts, "--blend_by", blend_by, "--label", "All")
    alone = [load_run(part, local_data_folder=place.folder / "Data") for part in parts]
    values = []
    for part in alone:
        experiment = part.experiment
        found = experiment.evaluator.evaluate(experiment.model, experiment.device, "validation")
        values.append(found.value("full", "NDCG@10"))
    assert results["validation"]["full"]["NDCG@10"] >= max(values) - 1e-6
    weights = [part["weight"] for part in results["weights"]]
    assert sum(weights) == pytest.approx(1, abs=1e-3) and min(weights) >= 0
    total, batches = (
        0.0,
        [next(iter(p.experiment.loader.evaluation(p.experiment.loader.split.test, 999))) for p in alone],
    )
    for weight, part, batch in zip(weights, alone, batches, strict=True):
        with torch.inference_mode():
            total += weight * comparable(part.experiment.model.scores(batch.inputs))  # type: ignore[operator]
    seen = batches[0].seen if results["filter_seen"] else None
    ndcg = per_user_metrics(target_ranks(total, batches[0].targets, seen), (10,))["NDCG@10"].mean()
    assert results["test"]["full"]["NDCG@10"] == pytest.approx(float(ndcg), abs=2e-3)  # weights are rounded
    report = place.launcher.run(place.folder, "--mode", "report", "--experiments", "experiments").ok().out
    assert "All" in report


def test_runs_that_cannot_be_compared_are_refused(place: Place, parts: list[Path]) -> None:
    place.run({**TINY, "model_code": "pop", "experiment_name": "other", "synthetic_users": 200}).ok()
    words = ["--mode", "blend", "--parts", str(parts[0])]
    ended = place.launcher.run(place.folder, *words, str(place.run_folder.parent / "other"))
    assert ended.code == 1 and "other data or another split" in ended.err
    assert place.launcher.run(place.folder, *words).code == 2
    assert place.launcher.run(place.folder, "--mode", "blend").code == 2


def test_standardised_scores_and_ranks() -> None:
    scores = torch.tensor([[9.0, 1, 2, 2, 5]])
    wanted = (np.array([1, 2, 2, 5]) - 2.5) / np.std([1, 2, 2, 5])
    np.testing.assert_allclose(standardised(scores)[0].numpy(), [0, *wanted], rtol=1e-5)
    np.testing.assert_allclose(reciprocal_ranks(scores)[0].numpy(), [0, 1 / 64, 1 / 62, 1 / 62, 1 / 61], rtol=1e-5)


def test_weights_climb_to_the_optimum() -> None:
    target = torch.tensor([0.3, 0.0, 0.7])
    found = find_weights(3, lambda weights: -float((weights - target).square().sum()))
    np.testing.assert_allclose(found.numpy(), target.numpy(), atol=0.02)
