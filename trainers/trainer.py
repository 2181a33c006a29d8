"""The training loop: epochs, validation, saturation, stages, checkpoints. It works the same for every model."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from torch.utils.tensorboard import SummaryWriter

from common.errors import DivergedError, UserError
from common.interrupts import interrupts_go_to
from common.version import code_version
from dataloaders import Batch
from evaluation.evaluator import Evaluation
from models.base import Stage
from trainers.ahead import ahead
from trainers.base import BaseTrainer, TrainerSetup
from trainers.checkpoint import (
    BEST,
    OPTIONS,
    Checkpoint,
    CheckpointStore,
    check_fits,
    check_resumable,
    flatten_optimizer,
    load_model,
    model_tensors,
    provenance,
    restore_optimizer,
    write_tensors,
)
from trainers.device import describe_device, peak_memory_mib
from trainers.epoch_report import TABLES, EpochReporter
from trainers.optimization import add_gradients, add_gradients_of_pieces, clip_gradients, learning_rate, make_optimizer
from trainers.options import GenericTrainerOptions
from trainers.progress import Progress
from trainers.state import TrainingState

log = logging.getLogger(__name__)
PILOT_EPOCHS, PILOT_BATCHES = 2, 2
MAX_NAMED = 10  # numbers in a message
ENDS_BY_LIMITS = ("num_epochs", "max_minutes", "saturation")


class Trainer(BaseTrainer):
    """The training loop, with one stage that ends by saturation."""

    code = "generic"
    Options = GenericTrainerOptions
    options: GenericTrainerOptions

    def __init__(self, options: GenericTrainerOptions, setup: TrainerSetup) -> None:
        super().__init__(options, setup)
        self.model = setup.model
        self.state = TrainingState(higher_is_better=setup.evaluator.higher_is_better)
        self.best_weights: dict[str, torch.Tensor] = {}
        self.store = CheckpointStore(setup.folder.models)
        self.progress = Progress()
        self._saved_at = -math.inf

    def stages(self) -> list[Stage]:
        """The stages of the run, in order."""
        return [Stage()]

    def begin_next_stage(self) -> None:
        """Prepare the next stage, after the one before has ended."""

    def stage_has_ended(self) -> bool:
        """Whether early stopping ends the stage; without validation, whether it has had its epochs."""
        return self._validates and self.state.saturated(self.options.saturation_wait_epochs)

    @property
    def _validates(self) -> bool:
        """Whether there is a validation after each epoch, which decides what the best weights are."""
        return self.options.train_on == "train"

    def train(self, resume: bool) -> TrainingState:
        """Train until a stopping rule or Ctrl-C ends the run."""
        if self.options.item_optimizer != "dense":
            self.model.use_sparse_gradients()
        self.optimizer = make_optimizer(self.model.parameters(), self.options)
        stages = self.stages()
        if resume:
            self._resume(stages)
        code, machine = code_version(), describe_device(self.setup.device, self.setup.workers.count)
        before = self.state.record_environment(code, machine)
        if before:
            log.warning(
                "the run was started with %s and resumes with code %s on %s: its results may differ from those of an "
                "uninterrupted run",
                " on ".join(before),
                code,
                machine,
            )
        self.model.begin_stage(stages[self.state.stage])
        with (
            self._stop_at_interrupt(),
            SummaryWriter(str(self.setup.folder.path / "tensorboard"), purge_step=self.state.epoch + 1) as board,
        ):
            reporter = EpochReporter(self.options, self.setup, board)
            while self.state.stopped_by is None and self._one_epoch(stages, reporter):
                pass
        if not self.best_weights:
            raise KeyboardInterrupt("stopped before the end of the first epoch: there is no model to test")
        if self.state.stopped_by in (None, "diverged") or resume:
            # the last checkpoint may be older than the best weights, or a run may have been killed between the two
            self._write_best()
        load_model(self.model, self.best_weights, "the best weights")
        return self.state

    def _one_epoch(self, stages: list[Stage], reporter: EpochReporter) -> bool:
        """Train and validate for one epoch, then apply the stopping rules. False if Ctrl-C cut it short."""
        began = time.perf_counter()
        try:
            losses = self.train_pass()
            if self.interrupted:
                return False
            validation = self._validate() if self._validates else None
        except DivergedError as error:
            if not self.best_weights:
                raise
            log.warning("%s; the best model so far, of epoch %d, will be tested", error, self.state.best_epoch)
            self.state.stopped_by = "diverged"
            return True
        self.state.epoch += 1
        if validation is None:  # the last weights count as the best
            value, self.state.best_epoch = 0.0, self.state.epoch
            self.best_weights = model_tensors(self.model)
        else:
            value = self.setup.evaluator.deciding_value(validation)
            if self.state.observe(value):
                self.best_weights = model_tensors(self.model)
        seconds = self.setup.workers.from_leader(time.perf_counter() - began)  # all stop by max_minutes at once
        self.state.seconds += seconds
        self.state.peak_memory_mib = max(self.state.peak_memory_mib, round(peak_memory_mib(self.setup.device), 1))
        reporter.report(self.state, stages[self.state.stage].name, losses, validation, seconds)
        self._apply_stopping_rules(stages, value)
        self._save()
        return True

    def _validate(self) -> Evaluation:
        """The metrics on the validation set."""
        return self.setup.evaluator.evaluate(
            self.model,
            self.setup.device,
            "validation",
            batch_limit=PILOT_BATCHES if self.setup.pilot else None,
            progress=lambda batches, total: self.progress.shown(batches, total, "validation"),
            workers=self.setup.workers,
        )

    def train_pass(self) -> dict[str, float]:
        """One pass over the training batches; the mean loss and its parts over windows."""
        options, generators, workers = self.options, self.setup.generators, self.setup.workers
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(options, self.state.epoch)
        sums: dict[str, torch.Tensor] = {}
        count = 0
        total = PILOT_BATCHES if self.setup.pilot else self.setup.loader.batches_per_epoch()
        batches = self.setup.loader.epoch(generators.loader)
        if self.setup.device.type == "cuda":
            batches = ahead(batches, Batch.pinned)
        bar = self.progress.bar(batches, total, f"epoch {self.state.epoch + 1}")
        step = self.state.step
        positions = self.model.cpu_positions if self.setup.device.type == "cpu" else None
        for number, batch in enumerate(bar):
            self.interrupted = workers.any(self.interrupted)
            if self.interrupted or number >= total:
                break
            self.optimizer.zero_grad()
            if options.gradient_parts is None:
                losses = add_gradients(self.model, batch.to(self.setup.device), step, generators.model, positions)
            else:
                losses = add_gradients_of_pieces(
                    self.model, batch, step, generators, positions, options.gradient_parts, workers
                )
            if options.clip_grad_norm is not None:
                clip_gradients(self.model.parameters(), options.clip_grad_norm)
            self.optimizer.step()
            step += 1
            size = len(batch.users)
            count += size
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value * size
            if number % 20 == 0 and self.progress.on_terminal:
                shown = {"loss": f"{sums['loss'].item() / count:.4f}"}
                if self.state.best_value is not None:
                    shown["best " + self.setup.evaluator.options.best_metric] = f"{self.state.best_value:.4f}"
                bar.set_postfix(shown, refresh=False)
        if self.interrupted:
            return {}
        self.state.step = step
        means = {name: value.item() / count for name, value in sums.items()}
        if not math.isfinite(means["loss"]):
            raise DivergedError(
                f"the loss of model {self.model.code} became {means['loss']} in epoch {self.state.epoch + 1}: "
                "try a lower lr, a smaller clip_grad_norm, or precision fp32"
            )
        return means

    def _apply_stopping_rules(self, stages: list[Stage], value: float) -> None:
        """Apply the limits and the saturation rule after an epoch that ended with the deciding `value`."""
        options, state, stop_early = self.options, self.state, self.setup.stop_early
        pruned = stop_early is not None and stop_early(state.epoch, value)
        saturated = self.stage_has_ended()
        last_epoch = options.num_epochs
        if self.setup.pilot:  # an epoch a stage
            saturated, last_epoch = state.stage + 1 < len(stages), max(PILOT_EPOCHS, len(stages))
        if last_epoch is not None and state.epoch >= last_epoch:
            state.stopped_by = "num_epochs"
        elif options.max_minutes is not None and state.seconds >= options.max_minutes * 60:
            state.stopped_by = "max_minutes"
        elif saturated and state.stage + 1 == len(stages):
            state.stopped_by = "saturation"
        elif pruned:
            state.stopped_by = "pruned"
        elif saturated:
            self.begin_next_stage()
            state.next_stage()
            self.model.begin_stage(stages[state.stage])
            ended = "saturated" if self._validates else "ended"
            log.info("%s after epoch %d: stage %s begins", ended, state.epoch, stages[state.stage].name)
            if not self._validates and self.stage_has_ended():  # a stage without epochs
                self._apply_stopping_rules(stages, value)

    def _save(self) -> None:
        """Write a checkpoint, unless the last one is recent and the run continues."""
        if not self.setup.workers.leads:
            return
        now = time.monotonic()
        if self.state.stopped_by is None and now - self._saved_at < self.options.checkpoint_seconds:
            return
        groups = {
            "model": model_tensors(self.model),
            "best": self.best_weights,
            "optimizer": flatten_optimizer(self.optimizer),
            "generator": self.setup.generators.state(),
        }
        tensors = {f"{part}/{name}": tensor for part, named in groups.items() for name, tensor in named.items()}
        state = {**self.state.as_dict(), **provenance(self.setup.loader.split), OPTIONS: dict(self.setup.options)}
        for name in TABLES:
            self.setup.folder.table(name).sync()
        self.setup.folder.check_place()
        self.store.save(Checkpoint(tensors, state), self.state.epoch)
        self._write_best()
        self._saved_at = time.monotonic()

    def _write_best(self) -> None:
        """Write the best weights of the run to a file of their own."""
        if not self.setup.workers.leads:
            return
        state = {"epoch": self.state.best_epoch, **provenance(self.setup.loader.split)}
        write_tensors(self.setup.folder.models / BEST, self.best_weights, state)

    def _resume(self, stages: list[Stage]) -> None:
        """Restore the newest intact checkpoint; without one, start from scratch.

        Raises UserError if the checkpoint is intact but not one of this run.
        """
        checkpoint = self.store.load()
        if checkpoint is not None:
            check_resumable(checkpoint.state, self.setup.loader.split)
            try:
                self._restore(checkpoint, stages)
            except torch.OutOfMemoryError:
                raise
            except (LookupError, TypeError, ValueError, RuntimeError) as error:
                raise UserError(
                    f"{checkpoint.path} is not a checkpoint of this run ({error}): restart from scratch with "
                    "--overwrite true"
                ) from error
            if self.state.stopped_by in ENDS_BY_LIMITS and self.setup.stop_early is None:
                self.state.stopped_by = None  # a limit may have been raised since
                self._apply_stopping_rules(stages, 0.0)
        for name in TABLES:
            table = self.setup.folder.table(name)
            lost = table.keep_through(self.state.epoch)
            if lost and self.setup.workers.leads:
                log.warning("%s lacks the rows of epochs %s; the run itself is not affected", table.path, _few(lost))
        log.info("resumed after epoch %d", self.state.epoch)

    def _restore(self, checkpoint: Checkpoint, stages: list[Stage]) -> None:
        """Take everything from a checkpoint. Raises an error of any kind if something is missing or wrong in it."""
        source, of_others = str(checkpoint.path), {*provenance(self.setup.loader.split), OPTIONS}
        state = {key: value for key, value in checkpoint.state.items() if key not in of_others}
        self.state = TrainingState.from_dict(state, self.setup.evaluator.higher_is_better)
        if self.state.stage >= len(stages):
            raise ValueError(f"it is in stage {self.state.stage + 1} of {len(stages)}")
        self.best_weights = checkpoint.part("best")
        check_fits(self.model, self.best_weights, source)
        load_model(self.model, checkpoint.part("model"), source)
        restore_optimizer(self.optimizer, checkpoint.part("optimizer"))
        self.setup.generators.restore(checkpoint.part("generator"))

    @contextmanager
    def _stop_at_interrupt(self) -> Iterator[None]:
        """Ctrl-C ends training after the current batch, a second one exits immediately."""

        def stop(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            then = "the best model so far will be tested" if self.best_weights else "there is no model to test yet"
            log.warning("stopping: %s (press Ctrl-C again to exit immediately)", then)

        with interrupts_go_to(stop):
            yield


def _few(numbers: list[int]) -> str:
    """The first of a list of numbers."""
    more = len(numbers) - MAX_NAMED
    return ", ".join(map(str, numbers[:MAX_NAMED])) + (f" and {more} more" if more > 0 else "")
