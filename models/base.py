"""The base classes of models. A model owns its loss and its scores; the trainer never asks which model it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from common.schema import Options
from models.layers.embedding import ItemEmbedding
from models.layers.item_features import ItemFeatures

if TYPE_CHECKING:
    from dataloaders.batch import Batch


@dataclass(frozen=True)
class Dimensions:
    """The sizes that a model is built for.

    Attributes
    ----------
    num_items, num_users : items are 1..num_items, users 0..num_users - 1
    max_len : the longest sequence that a batch holds
    pad_counts : PAD is treated as an item (a bug of released code, kept as an option)
    steps_per_epoch : optimizer steps of an epoch, for schedules that count epochs
    first_day, num_days : the UTC days of the training interactions, counted from 1970-01-01; num_days 0 = unknown
    num_interactions : training interactions
    item_features : features of the items, for models whose options name a file of them
    """

    num_items: int
    num_users: int
    max_len: int
    pad_counts: bool = False
    steps_per_epoch: int = 1
    first_day: int = 0
    num_days: int = 0
    num_interactions: int = 0
    item_features: ItemFeatures | None = None


@dataclass(frozen=True)
class Stage:
    """A part of training, which ends when validation saturates.

    Attributes
    ----------
    name : shown in logs and tables
    recover_len : how many of a window's last positions the loss covers; None = all
    dropout_scale : factor on the model's input dropout
    """

    name: str = "training"
    recover_len: int | None = None
    dropout_scale: float = 1.0


class Model(nn.Module, ABC):
    """A recommender. Subclasses declare their options, their dataloader and their trainer.

    Attributes
    ----------
    code, Options : the model's name in the registry, and the schema of its options
    dataloader_code, trainer_code : the dataloader and the trainer that it uses by default
    needs : what the data must have: "timestamps", "ratings"; a run on data without them is refused
    cpu_positions : input positions (windows x length) computed at a time on the CPU, for sequence models whose `loss`
        is the mean over all targets of a batch; None = the whole batch
    deterministic : the run's seed changes nothing, so a comparison runs it once
    reads_training : `read_training` gets the training interactions before the model is trained or evaluated
    has_stages : `loss` depends on the stage's recover_len
    warm_start_refusal : why training can't start from weights that were trained on other items or users; None = it can
    new_user_refusal : why the model can't score users that it wasn't trained on; None = it can
    export_refusal : why the model can't be exported; None = it can, if it can score new users
    onnx_refusal : why the model can't be exported to ONNX, though it can be to torch_export; None = it can
    """

    code: ClassVar[str]
    Options: ClassVar[type[Options]]
    dataloader_code: ClassVar[str]
    trainer_code: ClassVar[str] = "generic"
    needs: ClassVar[frozenset[str]] = frozenset()
    cpu_positions: ClassVar[int | None] = None
    deterministic: ClassVar[bool] = False
    reads_training = False
    has_stages: ClassVar[bool] = False
    warm_start_refusal: ClassVar[str | None] = None
    new_user_refusal: ClassVar[str | None] = None
    export_refusal: ClassVar[str | None] = None
    onnx_refusal: ClassVar[str | None] = None

    def __init__(self, options: Any, dimensions: Dimensions) -> None:
        super().__init__()
        self.options = options
        self.dimensions = dimensions
        self.stage = Stage()

    @classmethod
    def required(cls, options: Any) -> frozenset[str]:
        """What the data must have for a model with these options; `needs` by default."""
        return cls.needs

    @classmethod
    def conflict(cls, sections: Mapping[str, Any]) -> str | None:
        """Why options that are each valid can't be used together by this model; None if they can.

        `sections` holds the run's options by section: "run", "model", "dataloader", ... The message names the options.
        """
        return None

    @classmethod
    def named(cls, sections: Mapping[str, Any]) -> str:
        """The name in tables of a run without a label."""
        return cls.code

    @classmethod
    def knows_request_time(cls, options: Any) -> bool:
        """Whether the scores depend on when a recommendation is asked for."""
        return False

    @classmethod
    def touches_rows(cls, options: Any) -> bool:
        """Whether the loss looks items up in the item table, and never uses the whole table.

        Then the gradient of the table can be sparse (`use_sparse_gradients`).
        """
        return False

    def use_sparse_gradients(self) -> None:
        """Let lookups in the item tables have sparse gradients: only the rows of the batch's items."""
        for part in self.modules():
            if isinstance(part, ItemEmbedding):
                part.sparse = True

    def read_training(self, items: Tensor, offsets: Tensor) -> None:
        """Get the training items of each user u: `items[offsets[u]:offsets[u + 1]]`, int64, in time order."""

    def begin_stage(self, stage: Stage) -> None:
        """Called when training enters `stage`."""
        self.stage = stage

    @abstractmethod
    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise on a training batch, and its named parts (detached) for the log.

        `step` counts the optimizer steps of the run before this one; `generator` is on the model's device.
        """

    @classmethod
    def learns_in_parts(cls) -> bool:
        """Whether the gradient of a batch is a sum over parts of it."""
        return cls.cpu_positions is not None

    def num_predictions(self, batch: Batch) -> int | None:
        """How many targets `loss` averages over; None if a batch can't be computed in parts."""
        if self.cpu_positions is None or batch.targets is None:
            return None
        return int((batch.targets > 0).sum())

    @abstractmethod
    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Each user's score of each item, higher is better: [B, num_items + 1], with a meaningless column 0 (PAD).

        With `candidates` int64 [B, C], the scores of these items alone: [B, C].
        """

    def item_vectors(self) -> Tensor | None:
        """[V + 1, D], whose products with `user_vectors` are the scores; None if the scores are no such products."""
        return None

    def user_vectors(self, batch: Batch) -> Tensor:
        """[B, D]: `scores` are their products with `item_vectors`."""
        raise TypeError(f"the scores of model {self.code} are not products with item vectors")

    def scores_in_parts(self, batch: Batch) -> Tensor:
        """`scores` of all items, on the CPU for `cpu_positions` positions at a time: [B, num_items + 1]."""
        if self.cpu_positions is None or batch.items.device.type != "cpu":
            return self.scores(batch)
        parts = [self.scores(part) for part in batch.split(self.cpu_positions)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def num_parameters(self) -> int:
        """Number of trainable values."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


class FittedModel(Model):
    """A model computed from the training interactions, without gradient steps."""

    trainer_code = "fit"
    deterministic = True
    warm_start_refusal = "it is fitted, not trained"

    @abstractmethod
    def fit(self, items: Tensor, offsets: Tensor) -> None:
        """Learn from the training items of each user u: `items[offsets[u]:offsets[u + 1]]`, int64, in time order.

        What the model `required` is passed by keyword, one value per item: `ratings` float32 [nnz], `timestamps` int64
        [nnz].
        """

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Raises TypeError: a fitted model has no loss, and trainer `fit` doesn't call it."""
        raise TypeError(f"model {self.code} is fitted, not trained by gradients: use trainer_code fit")


def pick(scores: Tensor, candidates: Tensor | None) -> Tensor:
    """The scores [B, C] of `candidates` int64 [B, C]; all scores [B, V + 1] without candidates."""
    return scores if candidates is None else scores.gather(1, candidates)
