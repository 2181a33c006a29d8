"""What every registered model keeps. A new one is found by itself, with its own dataloader, on small made-up data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import random_histories, sequence_data
from torch import Tensor

from common.errors import UserError
from dataloaders import DATALOADERS, Batch, Dataloader
from datasets import SPLITS, SequenceData
from models import MODELS, Dimensions, FittedModel, Model
from runs.api import configure
from runs.experiment import check_needs
from runs.warm_start import Moved, moved_weights
from trainers import TRAINERS
from trainers.checkpoint import load_model, model_tensors, read_tensors, write_tensors

USERS, ITEMS, LENGTH = 24, 30, 12
CODES = sorted(MODELS)
NEVER_LEARN: dict[str, set[str]] = {}  # model -> parameters that no gradient reaches, on purpose


@cache
def small_data() -> SequenceData:
    """Short and long histories, with times and ratings."""
    random = np.random.default_rng(6)
    histories = random_histories(1, USERS // 2, ITEMS, 6) + random_histories(2, USERS // 2, ITEMS, 20)
    count = sum(map(len, histories))
    return sequence_data(
        histories,
        num_items=ITEMS,
        timestamps=1_500_000_000 + np.cumsum(random.integers(1, 200_000, count)),  # ascending within each user
        ratings=random.integers(1, 6, count).astype(np.float32),
    )


def make_options(kind: Any, **values: Any) -> Any:
    """The defaults, and those of `values` that there are."""
    return kind.Options.model_validate({k: v for k, v in values.items() if k in kind.Options.model_fields})


@dataclass(frozen=True)
class World:
    """A model with what it needs around it."""

    model: Model
    loader: Dataloader

    def training(self) -> Iterator[Batch]:
        """The training batches of an epoch."""
        return self.loader.epoch(torch.Generator().manual_seed(1))

    def inputs(self) -> Batch:
        """What the model is given for all test rows (users; items, for a model of items' ratings)."""
        if hasattr(self.loader, "rating_batches"):
            (batch,) = self.loader.rating_batches(self.loader.split.test, 10_000)
        else:
            (batch,) = self.loader.evaluation(self.loader.split.test, 10_000)
        return batch.inputs

    @property
    def columns(self) -> int:
        """Columns of a row of scores."""
        return USERS + 1 if self.loader.code == "item_ratings" else ITEMS + 1


def world(code: str, seed: int = 0, fitted: bool = True) -> World:
    """The model with its defaults, in evaluation mode; one that is computed from the data is computed."""
    kind = MODELS[code]
    split_code = "random_rating" if "ratings" in kind.needs else "leave_one_out"
    split_kind = SPLITS[split_code]
    split = split_kind().make(small_data(), split_kind.Options())
    loader_kind = DATALOADERS[kind.dataloader_code]
    loader = loader_kind(make_options(loader_kind, max_len=LENGTH, train_batch_size=16), split)
    torch.manual_seed(seed)
    dimensions = Dimensions(
        ITEMS,
        USERS,
        loader.max_len,
        loader.pad_counts,
        loader.batches_per_epoch(),
        *loader.training_days(),
        num_interactions=int((split.train_end - split.train_start).sum()),
    )
    model = kind(make_options(kind), dimensions)
    if fitted and isinstance(model, FittedModel):
        fit(model, loader)
    positions, offsets = split.training_positions()
    model.read_training(torch.from_numpy(loader.data.items[positions].astype(np.int64)), torch.from_numpy(offsets))
    return World(model.eval(), loader)


def fit(model: FittedModel, loader: Dataloader, users: int = USERS) -> None:
    """Fit to the training interactions of the first users; skips the test if an optional library is missing."""
    split, data = loader.split, loader.data
    spans = list(zip(split.train_start.tolist(), split.train_end.tolist(), strict=True))[:users]
    positions = np.concatenate([np.arange(*span) for span in spans])
    offsets = torch.tensor([0, *np.cumsum([end - start for start, end in spans])])
    needed = {name: torch.from_numpy(getattr(data, name)[positions]) for name in model.required(model.options)}
    try:
        model.fit(torch.from_numpy(data.items[positions].astype(np.int64)), offsets, **needed)
    except UserError as error:
        if "pip install" in str(error):
            pytest.skip(str(error))
        raise


def pick_rows(batch: Batch, rows: list[int]) -> Batch:
    """These rows of a batch."""
    fields = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    return dataclasses.replace(batch, **{name: value[rows] for name, value in fields.items() if value is not None})


def trim(batch: Batch) -> Batch:
    """The batch without the columns that are padding in every row (one column stays, at least)."""
    width = max(1, int((batch.items > 0).sum(1).max()))
    full = batch.items.shape[1]
    fields = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    narrow = {
        name: value[:, full - width :]
        for name, value in fields.items()
        if value is not None and value.dim() >= 2 and value.shape[1] == full
    }
    return dataclasses.replace(batch, **narrow)


@pytest.fixture(params=CODES)
def code(request: pytest.FixtureRequest) -> str:
    """Each registered model in turn."""
    return str(request.param)


@pytest.fixture(params=[c for c in CODES if not issubclass(MODELS[c], FittedModel)])
def trained_code(request: pytest.FixtureRequest) -> str:
    """Each model that is trained by gradients."""
    return str(request.param)


def test_it_is_registered_as_what_it_says(code: str) -> None:
    kind = MODELS[code]
    assert kind.code == code
    assert kind.dataloader_code in DATALOADERS and kind.trainer_code in TRAINERS
    assert kind.needs <= {"timestamps", "ratings"}
    assert kind.__doc__


def test_options_have_defaults_and_meanings(code: str) -> None:
    kind = MODELS[code]
    kind.Options()
    for name, field in kind.Options.model_fields.items():
        assert field.description, f"{name} has no description"
        assert not field.is_required(), f"{name} has no default"


def test_the_loss_is_finite_and_all_parameters_learn(trained_code: str) -> None:
    """Over four epochs, the first three of which train recvae's encoder alone."""
    here = world(trained_code)
    here.model.train()
    optimizer = torch.optim.Adam(here.model.parameters(), lr=1e-3)
    without = {name for name, parameter in here.model.named_parameters() if parameter.requires_grad}
    step = 0
    for _ in range(4):
        for batch in here.training():
            loss, parts = here.model.loss(batch, step, torch.Generator().manual_seed(step))
            assert loss.shape == () and torch.isfinite(loss)
            for name, value in parts.items():
                assert value.numel() == 1 and torch.isfinite(value).all() and not value.requires_grad, name
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for name, parameter in here.model.named_parameters():
                if parameter.grad is not None:
                    assert torch.isfinite(parameter.grad).all(), name
                    if parameter.grad.any():
                        without.discard(name)
            optimizer.step()
            step += 1
    assert without == NEVER_LEARN.get(trained_code, set()), "these parameters get no gradient"


def test_the_draws_are_the_generators(trained_code: str) -> None:
    """The same generators, the same loss; nothing depends on where else numbers were drawn but torch's own."""
    losses = []
    for _ in range(2):
        here = world(trained_code)
        here.model.train()
        torch.manual_seed(7)
        batch = next(here.training())
        losses.append(here.model.loss(batch, 3, torch.Generator().manual_seed(2))[0].item())
    assert losses[0] == losses[1]


def test_training_lowers_the_loss(trained_code: str) -> None:
    here = world(trained_code)
    here.model.train()
    batch = next(here.training())
    optimizer = torch.optim.Adam(here.model.parameters(), lr=3e-3)
    losses = []
    for step in range(40):
        loss, _ = here.model.loss(batch, 0, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def test_scores_have_a_finite_column_for_each_item(code: str) -> None:
    here = world(code)
    batch = here.inputs()
    before = torch.get_rng_state()
    with torch.inference_mode():
        scores = here.model.scores(batch)
    assert scores.shape == (len(batch.users), here.columns)
    assert scores.is_floating_point() and torch.isfinite(scores[:, 1:]).all()
    assert scores[:, 1:].std() > 0
    assert torch.equal(torch.get_rng_state(), before), "evaluation draws random numbers"


def test_scores_of_candidates_are_those_of_the_whole(code: str) -> None:
    here = world(code)
    batch = here.inputs()
    candidates = torch.randint(1, here.columns, (len(batch.users), 9), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        some, whole = here.model.scores(batch, candidates), here.model.scores(batch)
    close(some, whole.gather(1, candidates))


def test_scores_are_products_if_it_has_item_vectors(code: str) -> None:
    here = world(code)
    batch = here.inputs()
    with torch.inference_mode():
        vectors = here.model.item_vectors()
        if vectors is None:
            with pytest.raises(TypeError, match="not products"):
                here.model.user_vectors(batch)
        else:
            close((here.model.user_vectors(batch) @ vectors.T)[:, 1:], here.model.scores(batch)[:, 1:])


def test_a_batch_scores_as_its_rows_do_alone(code: str) -> None:
    here = world(code)
    batch = here.inputs()
    rows = len(batch.users)
    with torch.inference_mode():
        whole = here.model.scores(batch)
        alone = torch.cat([here.model.scores(pick_rows(batch, [row])) for row in range(rows)])
        turned = here.model.scores(pick_rows(batch, list(range(rows))[::-1])).flip(0)
    close(alone[:, 1:], whole[:, 1:])
    close(turned[:, 1:], whole[:, 1:])


def test_padding_changes_nothing(code: str) -> None:
    """Rows with short inputs, with the padding that long ones beside them ask for, and without it."""
    here = world(code)
    batch = here.inputs()
    lengths = (batch.items > 0).sum(1)
    short = torch.argsort(lengths)[: len(lengths) // 2].tolist()
    padded = pick_rows(batch, short)
    trimmed = trim(padded)
    assert trimmed.items.shape[1] < padded.items.shape[1], "no padding to take away"
    with torch.inference_mode():
        close(here.model.scores(trimmed)[:, 1:], here.model.scores(padded)[:, 1:])


def test_weights_come_back_from_disk(code: str, tmp_path: Path) -> None:
    here, other = world(code), world(code, seed=5, fitted=False)
    batch = here.inputs()
    write_tensors(tmp_path / "weights.safetensors", model_tensors(here.model), {})
    load_model(other.model, read_tensors(tmp_path / "weights.safetensors").tensors, "the file")
    with torch.inference_mode():
        assert torch.equal(here.model.scores(batch), other.model.scores(batch))


def test_weights_move_to_a_larger_catalogue(trained_code: str) -> None:
    """With new items and users, and all numbers permuted, the old items have the scores that they had."""
    here = world(trained_code)
    random = np.random.default_rng(3)
    places = [random.permutation(np.r_[np.arange(count), [-1] * 3]) for count in (ITEMS, USERS)]
    now = [torch.tensor([0, *(np.argsort(place)[3:] + 1)]) for place in places]  # [count + 1]: number -> number now
    dimensions = dataclasses.replace(here.model.dimensions, num_items=ITEMS + 3, num_users=USERS + 3)
    torch.manual_seed(9)
    model = type(here.model)(here.model.options, dimensions).eval()
    positions, offsets = here.loader.split.training_positions()
    owner = np.repeat(np.arange(USERS), np.diff(offsets))
    order = np.argsort(now[1][owner + 1].numpy(), kind="stable")
    counts = np.bincount(now[1][owner + 1].numpy() - 1, minlength=USERS + 3)
    items = now[0][here.loader.data.items[positions[order]].astype(np.int64)]
    model.read_training(items, torch.from_numpy(np.r_[0, np.cumsum(counts)]))
    moved = [Moved(place, count) for place, count in zip(places, (ITEMS, USERS), strict=True)]
    load_model(model, moved_weights(model, model_tensors(here.model), *moved, "here"), "here")
    of_columns, of_rows = reversed(now) if here.columns == USERS + 1 else now
    batch = here.inputs()
    then = dataclasses.replace(batch, users=of_rows[batch.users + 1] - 1, items=of_columns[batch.items])
    with torch.inference_mode():
        close(model.scores(then)[:, of_columns[1:]], here.model.scores(batch)[:, 1:])


def chosen(code: str) -> list[str]:
    """The options of a run of this model, under a split that its rows are good for."""
    given = ["--model_code", code, "--dataset_code", "synthetic"]
    ranks = DATALOADERS[MODELS[code].dataloader_code].ranks
    return given if ranks else [*given, "--split", "random_rating", "--best_metric", "RMSE"]


def test_what_the_data_lacks_is_refused_by_name(code: str) -> None:
    config = configure(chosen(code))
    required = MODELS[code].required(config.model)
    assert required <= {"timestamps", "ratings"}
    check_needs(config, small_data())
    for need in ("timestamps", "ratings"):
        lacking = dataclasses.replace(small_data(), **{need: None})
        if need in required:
            with pytest.raises(UserError, match=f"model {code} needs {need}"):
                check_needs(config, lacking)
        else:
            check_needs(config, lacking)


def test_trainers_that_a_model_has_no_use_for_are_refused(code: str) -> None:
    """Trainer vae for a loss that is the same in all its stages; any trainer by gradients for a fitted model."""
    kind = MODELS[code]
    accepted = {"fit"} if issubclass(kind, FittedModel) else {"generic", "vae"} if kind.has_stages else {"generic"}
    for trainer in TRAINERS:
        given = [*chosen(code), "--trainer_code", trainer]
        if trainer in accepted:
            configure(given)
        else:
            with pytest.raises(UserError, match=f"model .?{code}.? (can't use|is the same in every stage)"):
                configure(given)


def test_a_model_has_parameters_or_is_fitted_without_a_loss(code: str) -> None:
    here = world(code, fitted=False)
    if not isinstance(here.model, FittedModel):
        assert here.model.num_parameters() > 0
        return
    assert here.model.trainer_code == "fit" and here.model.num_parameters() == 0
    with pytest.raises(TypeError, match="fitted"):
        here.model.loss(here.inputs(), 0, torch.Generator())


@pytest.mark.parametrize("code", [code for code in CODES if issubclass(MODELS[code], FittedModel)])
def test_a_fit_decides_the_scores_and_can_be_repeated(code: str) -> None:
    """A new model fits to the same values, with any seed if deterministic; without a fit or on fewer users not."""
    seed = 1 if MODELS[code].deterministic else 0
    unfitted, here, again = world(code, fitted=False), world(code), world(code, seed)
    batch = here.inputs()
    fewer = world(code, fitted=False)
    assert isinstance(fewer.model, FittedModel)
    fit(fewer.model, fewer.loader, users=USERS // 2)
    with torch.inference_mode():
        scores = here.model.scores(batch)
        assert torch.equal(scores, again.model.scores(batch))
        assert not torch.equal(scores, unfitted.model.scores(batch))
        assert not torch.equal(scores, fewer.model.scores(batch))


def close(one: Tensor, other: Tensor) -> None:
    """Equal but for the order of float32 sums."""
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
