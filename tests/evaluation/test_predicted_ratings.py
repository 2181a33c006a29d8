"""Rating prediction: the split, RMSE, clipping, defaults for unseen users and items, AutoRec."""

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data
from torch import Tensor

from common.errors import OptionsError, UserError
from dataloaders import DATALOADERS, Batch
from datasets import SPLITS, SequenceData, Split
from evaluation.evaluator import Evaluator
from evaluation.metrics import rating_metrics, rating_metrics_by_user
from evaluation.options import EvaluationOptions
from models import MODELS, Dimensions
from runs.api import configure
from runs.results import protocol

CPU = torch.device("cpu")


def rated(users: int = 40, items: int = 20, seed: int = 0) -> SequenceData:
    histories = random_histories(seed, users, items, 15)
    count = sum(map(len, histories))
    ratings = np.random.default_rng(seed).integers(1, 6, count).astype(np.float32)
    return sequence_data(histories, items, ratings=ratings)


def random_rating(data: SequenceData, **options: object) -> Split:
    maker = SPLITS["random_rating"]
    return maker().make(data, maker.Options(**options))


def evaluator(split: Split, code: str = "user_ratings", **options: object) -> Evaluator:
    loader = DATALOADERS[code](DATALOADERS[code].Options(), split)
    return Evaluator(loader, EvaluationOptions(**{"best_metric": "RMSE", **options}))


class Constant(torch.nn.Module):
    """Predicts the same rating for all items."""

    code = "constant"

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        assert candidates is not None
        return torch.full(candidates.shape, self.value)


def test_errors_on_a_hand_computed_case() -> None:
    predicted, actual = np.array([3.0, 4.0, 1.0]), np.array([5.0, 4.0, 2.0])
    assert rating_metrics(predicted, actual) == {"RMSE": pytest.approx(np.sqrt(5 / 3)), "MAE": 1.0}
    of_users = rating_metrics_by_user(predicted, actual, np.array([0, 0, 1]), 2)
    assert of_users["RMSE"].tolist() == [pytest.approx(np.sqrt(2.0)), 1.0]
    assert of_users["MAE"].tolist() == [1.0, 1.0]


def test_every_rating_is_in_one_part_and_inputs_come_before() -> None:
    data = rated()
    split = random_rating(data)
    n = data.num_interactions
    parts = [
        np.concatenate([np.arange(a, b) for a, b in zip(split.train_start, split.train_end, strict=True)]),
        split.validation.targets,
        split.test.targets,
    ]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert len(parts[2]) == round(0.1 * n)
    assert len(parts[1]) == round(0.05 * (n - len(parts[2])))
    pairs = {(u, i, r) for u, i, r in zip(_users(data), data.items, data.ratings, strict=True)}
    assert pairs == {
        (u, i, r) for u, i, r in zip(_users(split.data), split.data.items, split.data.ratings, strict=True)
    }
    for heldout in (split.validation, split.test):
        assert (heldout.input_end == heldout.targets[heldout.target_offsets[:-1]]).all()


def _users(data: SequenceData) -> np.ndarray:
    return np.repeat(np.arange(data.num_users), data.lengths)


def test_predictions_are_clipped_to_the_scale() -> None:
    split = random_rating(rated())
    actual = split.data.ratings[split.test.targets].astype(float)
    for value, clipped in ((99.0, 5.0), (-3.0, 1.0), (2.5, 2.5)):
        measured = evaluator(split).evaluate(Constant(value), CPU, "test", detailed=True)
        assert measured.metrics["ratings"]["RMSE"] == pytest.approx(
            rating_metrics(np.full(len(actual), clipped), actual)["RMSE"]
        )
        assert len(measured.per_user["ratings/RMSE"]) == len(split.test.users)


def test_unseen_users_and_items_get_the_default() -> None:
    # item 2 is rated once, by a user whose other ratings train: wherever it is a target, it is unseen in training
    histories = [[1, 3, 4, 5, 6, 7]] * 30
    histories[0] = [1, 2, 3, 4, 5, 6]
    count = sum(map(len, histories))
    data = sequence_data(histories, 7, ratings=np.full(count, 5.0, dtype=np.float32))
    for seed in range(200):
        split = random_rating(data, split_seed=seed, test_share=0.5)
        if 2 in split.data.items[split.test.targets]:
            break
    measured = evaluator(split).evaluate(Constant(5.0), CPU, "test")
    targets = len(split.test.targets)
    assert measured.metrics["ratings"]["MAE"] == pytest.approx(2.0 / targets)  # |3 - 5|, once
    mean = random_rating(data, split_seed=seed, test_share=0.5, unseen_rating=None)
    assert evaluator(mean).evaluate(Constant(5.0), CPU, "test").metrics["ratings"]["MAE"] == 0


@pytest.mark.parametrize("code", ["item_ratings", "user_ratings"])
def test_rows_of_items_and_of_users_have_the_same_ratings(code: str) -> None:
    split = random_rating(rated())
    loader = DATALOADERS[code](DATALOADERS[code].Options(), split)
    for heldout in (split.validation, split.test):
        asked = {}
        for batch in loader.rating_batches(heldout, 7):
            real = batch.columns > 0
            rows = batch.inputs.users[:, None].expand_as(real)[real]
            for place, row, column in zip(batch.places[real], rows, batch.columns[real], strict=True):
                asked[int(place)] = (int(row), int(column))
            known = batch.inputs.items > 0
            assert (batch.inputs.weights[known] >= 1).all() and (batch.inputs.weights[~known] == 0).all()
        users, items = _users(split.data)[heldout.targets], split.data.items[heldout.targets]
        pairs = zip(items - 1, users + 1, strict=True) if code == "item_ratings" else zip(users, items, strict=True)
        assert [asked[p] for p in range(len(users))] == [(int(a), int(b)) for a, b in pairs]


@pytest.mark.parametrize("code", ["item_ratings", "user_ratings"])
def test_the_input_never_contains_its_target(code: str) -> None:
    split = random_rating(rated())
    loader = DATALOADERS[code](DATALOADERS[code].Options(), split)
    for batch in loader.rating_batches(split.test, 16):
        both = (batch.inputs.items[:, :, None] == batch.columns[:, None, :]) & (batch.columns > 0)[:, None, :]
        assert not both.any()


@pytest.mark.parametrize("code", ["autorec", "autorec_user"])
def test_autorec_learns_low_rank_ratings_better_than_biases(code: str) -> None:
    random = np.random.default_rng(0)
    taste, kind = random.choice([-1.0, 1.0], 60), random.choice([-1.0, 1.0], 40)
    histories = [random.choice(np.arange(1, 41), 30, replace=False).tolist() for _ in range(60)]
    ratings = [3 + 1.5 * taste[u] * kind[i - 1] for u, h in enumerate(histories) for i in h]
    split = random_rating(sequence_data(histories, 40, ratings=np.array(ratings, dtype=np.float32)))
    kind_of = MODELS[code]
    torch.manual_seed(0)
    dimensions = Dimensions(40, 60, 0)
    model = kind_of(kind_of.Options(hidden_units=20, l2=0.1), dimensions)
    measure = evaluator(split, kind_of.dataloader_code)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        for batch in measure.loader.epoch(generator):
            loss, _ = model.loss(batch, 0, generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    error = measure.evaluate(model, CPU, "test").metrics["ratings"]["RMSE"]
    assert error < 1.0  # biases can't see a product of tastes: 1.5


def test_autorec_counts_observed_ratings_only() -> None:
    kind = MODELS["autorec_user"]
    model = kind(kind.Options(hidden_units=4, l2=0.0), Dimensions(6, 3, 0))
    columns, ratings = torch.tensor([[0, 2, 5], [1, 3, 4]]), torch.tensor([[0.0, 4.0, 1.0], [2.0, 5.0, 3.0]])
    batch = Batch(torch.arange(2), columns, ratings, targets=columns, target_weights=ratings)
    loss, _ = model.loss(batch, 0, torch.Generator())
    predicted = model.scores(batch).detach()
    expected = sum(
        float((predicted[row, column] - rating) ** 2)
        for row in range(2)
        for column, rating in zip(columns[row], ratings[row], strict=True)
        if column > 0
    )
    assert float(loss) == pytest.approx(expected / 2, rel=1e-5)


def test_ranking_models_are_refused_for_rating_splits() -> None:
    with pytest.raises(UserError, match=r"dataloader bag.*autorec"):
        evaluator(random_rating(rated()), "bag")


def test_item_autorec_refuses_to_rank_by_name() -> None:
    with pytest.raises(TypeError, match="which split leave_one_out needs"):
        DATALOADERS["item_ratings"](DATALOADERS["item_ratings"].Options(), leave_one_out(rated()))


@pytest.mark.parametrize(("kind", "metric"), [("random_rating", "NDCG@10"), ("leave_one_out", "RMSE")])
def test_a_deciding_metric_of_another_protocol_is_refused(kind: str, metric: str) -> None:
    maker = SPLITS[kind]
    with pytest.raises(UserError, match=f"{metric} is not computed under split {kind}"):
        evaluator(maker().make(rated(), maker.Options()), best_metric=metric)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--templates train_pop --split random_rating --best_metric MAE", "with dataloader plain predicts none"),
        ("--model_code autorec", "predicts ratings of items: use split random_rating"),
        ("--templates train_pop --best_metric MAE", "best_metric MAE is not computed under split leave_one_out"),
        ("--templates train_bias --best_metric NDCG@10", "NDCG@10 is not computed under split random_rating"),
    ],
)
def test_impossible_protocols_are_option_errors(line: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        configure(line.split())


def test_the_protocol_of_ratings_ranks_nothing() -> None:
    reported = protocol(evaluator(random_rating(rated()), best_metric="MAE"))
    assert reported.keys() == {"candidates", "predictions", "selected_by", "in_words"}
    assert (reported["candidates"], reported["selected_by"]) == (["ratings"], "ratings/MAE")


def test_random_rating_needs_ratings() -> None:
    with pytest.raises(UserError, match="has none"):
        random_rating(sequence_data(random_histories(0, 20, 10, 8), 10))


def test_the_split_follows_the_seed_unless_split_seed_is_set() -> None:
    data = rated()

    def tested(seed: int, *more: str) -> list[int]:
        config = configure(["--templates", "train_bias", "--seed", str(seed), *more])
        return SPLITS[config.run.split]().make(data, config.split_options).test.targets.tolist()

    assert tested(1) == tested(1) != tested(2)
    assert tested(1, "--split_seed", "7") == tested(2, "--split_seed", "7")
