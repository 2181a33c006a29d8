"""ESAPR's trainer: stages whose loss covers ever fewer of a window's last positions."""

from __future__ import annotations

from common.errors import UserError
from models.base import Stage
from trainers.checkpoint import load_model
from trainers.options import TransferTrainerOptions
from trainers.trainer import Trainer


class TransferTrainer(Trainer):
    """ESAPR's training: each time validation saturates, the loss covers half as many of a window's last positions."""

    code = "vae"
    Options = TransferTrainerOptions
    options: TransferTrainerOptions

    def stages(self) -> list[Stage]:
        """recover_len max_len, max_len // 2, ..., 1; or just max_len without transfer."""
        max_len = self.setup.loader.max_len
        lengths = [max_len]
        while self.options.train_transfer and lengths[-1] > 1:
            lengths.append(lengths[-1] // 2)
        given = self.options.stage_epochs
        if given is not None and len(given) > len(lengths):
            raise UserError(f"stage_epochs has {len(given)} numbers, and the run has {len(lengths)} stages")
        scales = [n / max_len if self.options.decrease_dropout else 1.0 for n in lengths]
        return [Stage(f"recover_len {n}", n, scale) for n, scale in zip(lengths, scales, strict=True)]

    def stage_has_ended(self) -> bool:
        epochs = self.options.stage_epochs
        if epochs is None:
            return super().stage_has_ended()
        left = epochs[self.state.stage] if self.state.stage < len(epochs) else 0
        return self.state.epoch - self.state.waiting_since >= left

    def begin_next_stage(self) -> None:
        """Restore the best weights so far; the optimizer and the counters continue."""
        if self.options.best_model_transfer:
            load_model(self.model, self.best_weights, "the best weights")
