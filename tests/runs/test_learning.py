"""What must be learnt is learnt, and what can't be isn't: bands, on data whose predictability is an option."""

import json
from typing import Any

import pytest
from small_runs import Place

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


@pytest.mark.parametrize(
    "template, epochs, least",
    [
        ("train_sas", 30, 0.4),
        ("train_sas_ce", 20, 0.5),
        ("train_gru4rec", 12, 0.5),
        ("train_hstu", 20, 0.5),
        ("train_tisas", 12, 0.5),
        ("train_bert", 40, 0.3),  # filling in gaps, it learns the groups long before the order within them
        ("train_meantime", 40, 0.3),
        ("train_marank", 40, 0.3),
    ],
)
def test_sequential_models_learn_the_order_of_predictable_people(
    place: Place, template: str, epochs: int, least: float
) -> None:
    assert ndcg(place, {**SEQUENCE, "templates": template}, num_epochs=epochs) > least


def test_noise_is_not_predicted(place: Place) -> None:
    data = {"predictability": 0, "taste_drift": 1, "popularity_skew": 0.8}
    popularity = ndcg(place, {**DATA, "model_code": "pop"}, **data)
    assert ndcg(place, VAE, **data) < popularity + 0.03


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
