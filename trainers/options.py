"""The options of the training loop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.schema import EXECUTION, Options


class TrainerOptions(Options):
    """Base of the options of every trainer."""

    train_on: Literal["train", "all"] = Field(
        "train",
        description="train = the training interactions; all = the held-out ones too, for serving, without metrics and "
        "early stopping",
    )

    @property
    def limits(self) -> tuple[str, ...]:
        """The options that may be raised when a run is resumed: what it has done so far doesn't depend on them."""
        return ()

    def model_conflict(self, model_code: str, has_stages: bool, touches_rows: bool, in_parts: bool) -> str | None:
        """Why a model can't be trained with these options; None if it can.

        See `Model.has_stages`, `Model.touches_rows` and `Model.learns_in_parts`.
        """
        return None


class GenericTrainerOptions(TrainerOptions):
    """Optimizer, learning rate, training limits, early stopping and checkpoints."""

    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        "adam", description="optimizer; adam adds weight_decay to the gradient"
    )
    item_optimizer: Literal["dense", "sparse", "sparse_adagrad"] = Field(
        "dense",
        description="how the item table is updated: dense = like all parameters; sparse = adam on the rows that the "
        "batch touches, whose cost doesn't grow with the catalogue; sparse_adagrad = row-wise Adagrad on these rows",
    )
    lr: float = Field(1e-3, gt=0, description="initial learning rate")
    adam_beta2: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="beta2 of adam and adamw (SASRec's authors: 0.98)",
    )
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty (adam, sgd) or decoupled decay (adamw)")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of sgd")
    decay_step: int | None = Field(
        None, ge=1, description="epochs between multiplications of the learning rate by gamma; null = constant rate"
    )
    gamma: float = Field(1.0, gt=0, le=1, description="learning rate decay factor, applied every decay_step epochs")
    clip_grad_norm: float | None = Field(5.0, gt=0, description="maximum gradient norm; null = no clipping")
    gradient_parts: int | None = Field(
        None,
        ge=1,
        description="compute a batch's gradient in this many parts, each with its own random draws, added up in "
        "order, so that any number of workers gives the same bits; null = the whole batch at once, or 8 under "
        "torchrun",
    )
    num_epochs: int | None = Field(None, ge=1, description="maximum number of epochs; null = until saturation")
    epochs_of: str | None = Field(
        None,
        min_length=1,
        description="with train_on all: folder of a validated run; train for as many epochs as its best model, instead "
        "of num_epochs",
    )
    max_minutes: float | None = Field(None, gt=0, description="maximum training time in minutes; null = no limit")
    saturation_wait_epochs: int | None = Field(
        16,
        ge=1,
        description="early-stopping patience of a stage, in epochs without improvement of best_metric; null = never",
    )
    checkpoint_seconds: float = Field(
        20.0,
        ge=0,
        description="minimum seconds between checkpoints; what came after the last one is repeated on resume",
        json_schema_extra=EXECUTION,
    )

    @property
    def limits(self) -> tuple[str, ...]:
        return "num_epochs", "max_minutes", "saturation_wait_epochs"

    def model_conflict(self, model_code: str, has_stages: bool, touches_rows: bool, in_parts: bool) -> str | None:
        if self.gradient_parts is not None and not in_parts:
            return (
                f"model {model_code} can't be trained in parts of a batch: leave out gradient_parts, and train it in a "
                "single process"
            )
        if self.item_optimizer == "dense" or touches_rows:
            return None
        return (
            f"item_optimizer {self.item_optimizer} updates the items that a batch touches, and model {model_code} with "
            "this loss touches all of them: use item_optimizer dense, or a loss with sampled negatives"
        )

    @model_validator(mode="after")
    def _sparse_rows_need_adam(self) -> GenericTrainerOptions:
        if self.item_optimizer != "dense" and self.optimizer == "sgd":
            raise ValueError(f"item_optimizer {self.item_optimizer} needs optimizer adam or adamw, not sgd")
        return self

    @model_validator(mode="after")
    def _epochs_are_known(self) -> GenericTrainerOptions:
        if self.train_on == "all" and self.num_epochs is None and self.epochs_of is None:
            raise ValueError(
                "train_on all has no validation to stop at: give num_epochs, or epochs_of with a validated run's folder"
            )
        if self.train_on == "train" and self.epochs_of is not None:
            raise ValueError("epochs_of has no effect with train_on train")
        return self

    @model_validator(mode="after")
    def _momentum_is_of_sgd(self) -> GenericTrainerOptions:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(
                f"momentum ({self.momentum}) is an option of optimizer sgd, not of {self.optimizer}: use 0"
            )
        return self


class TransferTrainerOptions(GenericTrainerOptions):
    """The stages of ESAPR, each of which reconstructs half as many of a window's last items."""

    train_transfer: bool = Field(True, description="train in stages of recover_len max_len, max_len / 2, ..., 1")
    best_model_transfer: bool = Field(True, description="start each stage from the best weights so far")
    decrease_dropout: bool = Field(False, description="scale the input dropout by recover_len / max_len")
    stage_epochs: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="with train_on all: epochs of each stage, whose sum is num_epochs; null = those of epochs_of"
    )

    @property
    def limits(self) -> tuple[str, ...]:
        of_stages = {"saturation_wait_epochs"} if self.train_transfer else set()  # it decided where each stage ended
        return tuple(name for name in super().limits if name not in of_stages)

    def model_conflict(self, model_code: str, has_stages: bool, touches_rows: bool, in_parts: bool) -> str | None:
        if has_stages:
            return super().model_conflict(model_code, has_stages, touches_rows, in_parts)
        return (
            f"the loss of model {model_code} is the same in every stage: trainer_code vae, whose stages cover ever "
            "fewer positions, has no effect; use generic"
        )

    @model_validator(mode="after")
    def _stages_have_epochs(self) -> TransferTrainerOptions:
        if self.train_on == "train" and self.stage_epochs is not None:
            raise ValueError("stage_epochs has no effect with train_on train")
        if self.stage_epochs is not None and self.num_epochs != sum(self.stage_epochs):
            raise ValueError(f"num_epochs should be {sum(self.stage_epochs)}, the sum of stage_epochs")
        if self.train_on == "all" and self.train_transfer and self.stage_epochs is None and self.epochs_of is None:
            raise ValueError("train_on all needs stage_epochs or epochs_of: without validation no stage saturates")
        return self

    @model_validator(mode="after")
    def _dropout_decreases_in_stages(self) -> TransferTrainerOptions:
        if self.decrease_dropout and not self.train_transfer:
            raise ValueError("decrease_dropout needs several stages: set train_transfer true")
        return self
