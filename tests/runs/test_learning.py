"""Models learn predictable data, not noise. A new model is found by itself: `BANDS` only lists exceptions."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_runs import Place

from dataloaders import DATALOADERS
from dataloaders.sequences import RecentItemsDataloader
from evaluation import per_user_metrics, target_ranks
from models import MODELS, FittedModel
from models.layers.padding import align_left
from models.losses import LOSSES
from runs.trained import TrainedRun, load_run

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
    "hidden_layers": [64],
    "latent_size": 32,
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

FITTED: dict[str, Any] = {**DATA, "max_len": 16, "validation_candidates": "full", "predictability": 0.9}


def ndcg(place: Place, base: dict[str, Any], **changes: Any) -> float:
    """Test NDCG@10 of the full ranking."""
    place.run(base, overwrite=True, **changes).ok()
    return float(place.results()["test"]["full"]["NDCG@10"])


POPULAR: dict[str, dict[str, Any]] = {  # the same for all users
    "pop": {},
    "recent_pop": {"window_days": 120},
    "decay_pop": {"half_life_days": 120},
}
RECENT = [c for c in sorted(MODELS) if issubclass(DATALOADERS[MODELS[c].dataloader_code], RecentItemsDataloader)]
UNORDERED_RECENT = {"bpr_mf", "lightgcn"}  # their batches have an order, which they don't use
ORDERED = [code for code in RECENT if code not in {*POPULAR, *UNORDERED_RECENT}]
RATING = [code for code in sorted(MODELS) if "ratings" in MODELS[code].needs]
UNORDERED = [
    code for code in sorted(MODELS) if code not in {*ORDERED, *RATING, *POPULAR, "vae"}
]  # vae: a test of its own
STEPS: dict[str, Any] = {"lr": 0.003, "train_batch_size": 64, "saturation_wait_epochs": 5, "num_epochs": 20}
CLOZE = {"num_blocks": 1, "train_batch_size": 32, "lr": 0.005}
SMALLER: dict[str, dict[str, Any]] = {
    "bert": CLOZE,
    "meantime": CLOZE,
    "hvamp": {"hidden_units": 64, "latent_size": 32, "pseudo_inputs": 50},
    "tiger": {"code_levels": 1, "beam_size": 10},
}

BANDS = {  # model -> epochs, and the least NDCG@10 after them
    "bert": (26, 0.3),  # learns the groups long before the order within them, as meantime does
    "gru4rec": (6, 0.5),
    "hstu": (8, 0.5),
    "marank": (20, 0.3),
    "meantime": (26, 0.3),
    "stan": (0, 0.3),
    "tiger": (10, 0.3),
    "tisas": (6, 0.5),
    "vsknn": (0, 0.25),
}
BAND = (8, 0.3)  # of any other that is trained
LOSS_TEMPLATES = {"gbce": "train_gsas", "ce": "train_sas_ce"}


def test_predictable_users_are_predicted(place: Place) -> None:
    data = {"predictability": 0.9}
    popularity = ndcg(place, {**DATA, "model_code": "pop"}, **data)
    assert ndcg(place, VAE, **data, num_epochs=12) > max(3 * popularity, 0.4)


def ordered_cases() -> list[Any]:
    """Template, changes, epochs (0 if it is fitted) and least NDCG@10 of each sequence model, and of `sas` with each
    other loss."""
    bands = {code: (0, 0.4) for code in ORDERED if issubclass(MODELS[code], FittedModel)} | BANDS
    models = [pytest.param(f"train_{code}", SMALLER.get(code, {}), *bands.get(code, BAND), id=code) for code in ORDERED]
    losses = []
    for name, loss in LOSSES.items():
        changes = {"loss": name, "train_negative_sample_size": 20 if loss.needs_negatives else 0}
        template = LOSS_TEMPLATES.get(name, "train_sas")
        if name != "bce":  # the template's own
            losses.append(pytest.param(template, changes, 10, 0.4 if loss.needs_negatives else 0.5, id=f"sas-{name}"))
    return models + losses


@pytest.mark.parametrize("template, changes, epochs, least", ordered_cases())
def test_sequence_models_learn_the_order(
    place: Place, template: str, changes: dict[str, Any], epochs: int, least: float
) -> None:
    """They predict the next item, but not if the history is reversed."""
    base = FITTED if epochs == 0 else {**SEQUENCE, "num_epochs": epochs}
    value = ndcg(place, {**base, "templates": template}, **changes)
    run = trained(place)
    forwards, backwards = reloaded_ndcg(run, backwards=False), reloaded_ndcg(run, backwards=True)
    assert value > least
    assert forwards == pytest.approx(value, abs=1e-6)
    assert backwards < 0.5 * value


@pytest.mark.parametrize("code", UNORDERED)
def test_models_of_bags_learn_whose_items_go_together(place: Place, code: str) -> None:
    """Users of a group choose its items, so a user's own items predict more than popularity."""
    if code == "als":
        pytest.importorskip("implicit")
    data = {"predictability": 0.9, "validation_candidates": "full"}
    steps = {} if issubclass(MODELS[code], FittedModel) else {**STEPS, **SMALLER.get(code, {})}
    popularity = ndcg(place, {**DATA, "model_code": "pop"}, **data)
    assert ndcg(place, {**DATA, "templates": f"train_{code}"}, **data, **steps) > 1.15 * popularity


@pytest.mark.parametrize("code", [code for code in POPULAR if code != "pop"])
def test_popularity_in_time_predicts_as_popularity_does(place: Place, code: str) -> None:
    """Where popularity doesn't move, all that recency loses is data."""
    data = {"predictability": 0.9, "validation_candidates": "full"}
    popularity = ndcg(place, {**DATA, "model_code": "pop"}, **data)
    assert ndcg(place, {**DATA, "templates": f"train_{code}"}, **data, **POPULAR[code]) > 0.6 * popularity


@pytest.mark.parametrize("code", RATING)
def test_rating_models_beat_the_mean_rating(place: Place, code: str) -> None:
    steps = {} if issubclass(MODELS[code], FittedModel) else {**STEPS, **SMALLER.get(code, {})}
    mean = rmse(place, "bias", l2=1e9)
    assert rmse(place, code, **steps) < 0.95 * mean


def rmse(place: Place, code: str, **changes: Any) -> float:
    """Test RMSE of a rating model."""
    data = {key: value for key, value in DATA.items() if key not in ("metric_ks", "test_negative_sampler_code")}
    place.run({**data, "templates": f"train_{code}"}, overwrite=True, **changes).ok()
    return float(place.results()["test"]["ratings"]["RMSE"])


def trained(place: Place) -> TrainedRun:
    """The place's run, loaded into this process."""
    return load_run(place.run_folder, local_data_folder=place.folder / "Data")


def reloaded_ndcg(run: TrainedRun, backwards: bool) -> float:
    """Test NDCG@10 of the reloaded run, with histories as they are or reversed."""
    (batch,) = run.experiment.loader.evaluation(run.experiment.loader.split.test, 10_000)
    inputs = batch.inputs
    if backwards:
        inputs = replace(inputs, items=inputs.items.gather(1, align_left(inputs.items)[0]).flip(1))
    with torch.inference_mode():
        ranks = target_ranks(run.experiment.model.scores(inputs), batch.targets, None, run.experiment.model.code)
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
