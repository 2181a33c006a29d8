"""A model with one table of weights, and the other parts that a trainer needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from helpers import leave_one_out, random_histories, sequence_data
from torch import Tensor, nn

from common.schema import Options
from dataloaders import DATALOADERS, Batch
from evaluation.evaluator import Evaluation, Evaluator
from evaluation.options import EvaluationOptions
from models.base import Dimensions, Model
from trainers import TRAINERS, TrainerSetup
from trainers.randomness import Generators
from trainers.run_folder import RunFolder
from trainers.trainer import Trainer


class TableModel(Model):
    """score(item) = table[item]; the loss pulls the table towards noise, or is what `loss_of` returns."""

    code = "table"
    Options = Options
    dataloader_code = "vae"

    def __init__(self, num_items: int = 9, loss_of: Callable[[Tensor, int], Tensor] | None = None) -> None:
        super().__init__(Options(), Dimensions(num_items, 1, 8))
        self.table = nn.Parameter(torch.linspace(-1, 1, num_items + 1))
        self.loss_of = loss_of
        self.entered: list[tuple[str, int | None, float]] = []

    def begin_stage(self, stage: Any) -> None:
        super().begin_stage(stage)
        self.entered.append((stage.name, stage.recover_len, stage.dropout_scale))

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        noise = torch.randn(self.table.shape, generator=generator)
        loss = ((self.table - noise) ** 2).mean() if self.loss_of is None else self.loss_of(self.table, step)
        return loss, {"noise": noise.mean()}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        everyone = self.table.detach().expand(batch.items.shape[0], -1)
        return everyone if candidates is None else everyone.gather(1, candidates)


class ScriptedEvaluator(Evaluator):
    """Returns the values of a list as validation NDCG@10, then 0."""

    script: list[float]

    def evaluate(self, *args: Any, **kwargs: Any) -> Evaluation:
        value = self.script.pop(0) if self.script else 0.0
        return Evaluation({"full": {"NDCG@10": value}})


def make_trainer(
    folder: Path,
    script: list[float] | None = None,
    model: Model | None = None,
    trainer: str = "generic",
    max_len: int = 8,
    pilot: bool = False,
    seed: int = 0,
    **options: Any,
) -> Trainer:
    """A trainer of a small model on small data; validation values are those of `script`, if given."""
    split = leave_one_out(sequence_data(random_histories(3, 7, 9, 9), num_items=9))
    loader_class = DATALOADERS["vae"]
    loader = loader_class(loader_class.Options(max_len=max_len, train_batch_size=3), split)
    evaluation = EvaluationOptions(test_negative_sampler_code=(), metric_ks=(10,))
    evaluator = Evaluator(loader, evaluation)
    if script is not None:
        evaluator = ScriptedEvaluator(loader, evaluation)
        evaluator.script = list(script)
    device = torch.device("cpu")
    setup = TrainerSetup(
        model or TableModel(), loader, evaluator, RunFolder(folder), Generators(seed, device), device, pilot
    )
    (folder / "models").mkdir(parents=True, exist_ok=True)
    kind = TRAINERS[trainer]
    made = kind(kind.Options(**options), setup)
    assert isinstance(made, Trainer)
    return made
