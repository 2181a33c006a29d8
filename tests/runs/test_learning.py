"""What must be learnt is learnt, and what can't be isn't: bands, on data whose predictability is an option."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_runs import Place

import options
from evaluation import per_user_metrics, target_ranks
from models.layers.padding import align_left
from runs.trained import TrainedRun, load_trained

DATA: dict[str, Any] = {
    "dataset_code": "synthetic",
    "synthetic_users": 600,
    "synthetic_items": 120,
    "synthetic_length": 20,
    "synthetic_groups": 6,
    "test_negative_sampler_code": [],
    "metric_ks": [10],
    "num_threads": 1,
    "experiment_group": "g",
    "experiment_name": "run",
}
VAE: dict[str, Any] = {
    **DATA,
    "templates": "train_vae",
    "max_len": 16,
    "train_window": 2,
    "train_batch_size": 128,
    "encoder_hidden_layer": [64],
    "encode_len": 32,
    "total_anneal_steps": 10000,
    "validation_candidates": "full",
    "saturation_wait_epochs": 2,
    "num_epochs": 25,
}


SEQUENCE: dict[str, Any] = {
    **DATA,
    "max_len": 16,
    "train_batch_size": 64,
    "hidden_units": 32,
    "lr": 0.003,
    "validation_candidates": "full",
    "saturation_wait_epochs": 5,
    "predictability": 0.9,
}


def ndcg(place: Place, base: dict[str, Any], **changes: Any) -> float:
    """Test NDCG@10 of the full ranking."""
    place.run(base, overwrite=True, **changes).ok()
    return float(place.results()["test"]["full"]["NDCG@10"])


def test_predictable_people_are_predicted(place: Place) -> None:
    data = {"predictability": 0.9}
    popularity = ndcg(place, {**DATA, "model_code": "pop"}, **data)
    assert ndcg(place, VAE, **data) > max(3 * popularity, 0.4)


SAMPLED = {"loss": "sampled_ce", "train_negative_sample_size": 20}


@pytest.mark.parametrize(
    "template, changes, epochs, least, backwards",
    [
        ("train_sas", {}, 30, 0.4, 0.5),
        ("train_sas", SAMPLED, 20, 0.4, 0.5),
        ("train_gsas", {"train_negative_sample_size": 20}, 20, 0.4, 0.5),
        ("train_sas_ce", {}, 20, 0.5, 0.5),
        ("train_gru4rec", {}, 12, 0.5, 0.5),
        ("train_hstu", {}, 20, 0.5, 0.5),
        ("train_tisas", {}, 12, 0.5, 0.5),
        ("train_bert", {}, 40, 0.3, 0.5),  # filling in gaps, it learns the groups long before the order within them
        ("train_meantime", {}, 40, 0.3, 0.5),
        ("train_marank", {}, 40, 0.3, 0.5),
    ],
)
def test_sequential_models_learn_the_order_of_predictable_people(
    place: Place, template: str, changes: dict[str, Any], epochs: int, least: float, backwards: float
) -> None:
    """They predict what comes next, and not if they are told the same items from last to first."""
    value = ndcg(place, {**SEQUENCE, "templates": template}, num_epochs=epochs, **changes)
    run = trained(place)
    print(template, value, told(run, backwards=False), told(run, backwards=True))
    assert value > least
    assert told(run, backwards=False) == pytest.approx(value, abs=1e-6)
    assert told(run, backwards=True) < backwards * value


def trained(place: Place) -> TrainedRun:
    """The run of the place, in this process."""
    config, weights = place.run_folder / "config.yaml", place.run_folder
    request = options.parse(["--templates", str(config), "--mode", "test", "--pretrained_weights", str(weights)])
    return load_trained(request, local_data_folder=place.folder / "Data")


def told(run: TrainedRun, backwards: bool) -> float:
    """Test NDCG@10 for histories as they are, or with their items from last to first."""
    (batch,) = run.loader.evaluation(run.loader.split.test, 10_000)
    inputs = batch.inputs
    if backwards:
        inputs = replace(inputs, items=inputs.items.gather(1, align_left(inputs.items)[0]).flip(1))
    with torch.inference_mode():
        ranks = target_ranks(run.model.scores(inputs), batch.targets, None, run.model.code)
    return float(per_user_metrics(ranks, (10,))["NDCG@10"].mean())


@pytest.mark.parametrize(
    "base",
    [
        VAE,
        *({**SEQUENCE, "templates": name, "num_epochs": 8} for name in ("train_sas_ce", "train_bert", "train_marank")),
    ],
    ids=lambda base: base["templates"],
)
def test_noise_is_not_predicted(place: Place, base: dict[str, Any]) -> None:
    data = {"predictability": 0, "taste_drift": 1, "popularity_skew": 0.8}
    popularity = ndcg(place, {**DATA, "model_code": "pop"}, **data)
    assert ndcg(place, base, **data) < popularity + 0.03


def test_the_quickstart(place: Place) -> None:
    """The template as it is, on fewer generated users."""
    ended = place.launcher.run(
        place.folder, "--templates", "quickstart", "--synthetic_users", 700, "--num_threads", 1
    ).ok()
    found = [json.loads(path.read_text()) for path in place.folder.glob("experiments/quickstart/*/results.json")]
    value = {run["model_code"]: run["test"]["full"]["NDCG@10"] for run in found}
    assert value["vae"] > 2 * value["pop"], value
    assert all(run["label"] in ended.out for run in found)
    assert "experiments/quickstart" in ended.out


@pytest.mark.parametrize("normalize_type", ["f", "batch"])
def test_every_stage_ends_by_saturation(place: Place, normalize_type: str) -> None:
    place.run(VAE, normalize_type=normalize_type, synthetic_users=100, saturation_wait_epochs=1, num_epochs=None).ok()
    assert place.results()["stopped_by"] == "saturation"
    log = (place.run_folder / "tables" / "train_log.csv").read_text()
    assert all(f"recover_len {n}" in log for n in (16, 8, 4, 2, 1))
