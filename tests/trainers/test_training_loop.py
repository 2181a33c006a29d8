"""The training loop: early stopping, stages, learning rate, interrupts, divergence and resuming."""

import copy
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import TableModel, make_trainer
from safetensors.torch import load_file
from torch import Tensor

from common.errors import DivergedError, UserError
from trainers.run_folder import RunFolder
from trainers.state import TrainingState


def test_early_stopping_waits_exactly_its_patience(tmp_path: Path) -> None:
    """Best in epoch 2, then 3 epochs that aren't better (equal is not better): epoch 5 is the last."""
    state = make_trainer(tmp_path, [0.1, 0.5, 0.5, 0.4, 0.3, 0.9], saturation_wait_epochs=3).train(resume=False)
    assert (state.epoch, state.best_epoch, state.best_value) == (5, 2, 0.5)
    assert state.stopped_by == "saturation"


def test_an_improvement_restarts_patience(tmp_path: Path) -> None:
    state = make_trainer(tmp_path, [0.5, 0.4, 0.6, 0.1, 0.7, 0.1, 0.1], saturation_wait_epochs=2).train(resume=False)
    assert (state.epoch, state.best_epoch) == (7, 5)


def test_no_early_stopping_without_patience(tmp_path: Path) -> None:
    state = make_trainer(tmp_path, [0.5], saturation_wait_epochs=None, num_epochs=12).train(resume=False)
    assert (state.epoch, state.best_epoch, state.stopped_by) == (12, 1, "num_epochs")


def test_a_new_stage_keeps_the_best_and_restarts_patience(tmp_path: Path) -> None:
    """The second stage, epochs 4 and 5, is no better than the first: the best stays, and it also waits 2 epochs."""
    trainer = make_trainer(
        tmp_path, [0.5, 0.1, 0.1, 0.3, 0.4], trainer="vae", max_len=2, saturation_wait_epochs=2, train_transfer=True
    )
    state = trainer.train(resume=False)
    assert (state.epoch, state.stage, state.best_epoch, state.best_value) == (5, 1, 1, 0.5)


def test_the_state_counts_epochs_and_improvements() -> None:
    state = TrainingState(epoch=1)
    assert state.observe(0.2) and not state.observe(0.2)
    state.epoch = 4
    assert state.saturated(3) and not state.saturated(4) and not state.saturated(None)
    state.next_stage()
    assert (state.waiting_since, state.best_epoch, state.best_value) == (4, 1, 0.2)
    assert not state.saturated(1)
    assert TrainingState(**state.as_dict()) == state


def test_lower_is_better_for_errors() -> None:
    state = TrainingState(epoch=1, higher_is_better=False)
    assert state.observe(0.9) and not state.observe(1.0) and not state.observe(0.9)
    assert state.observe(0.8) and state.best_value == 0.8


def test_states_with_negated_errors_are_still_read(tmp_path: Path) -> None:
    """Earlier versions recorded RMSE and MAE as negative numbers, and no direction."""
    old = {key: value for key, value in TrainingState(epoch=3).as_dict().items() if key != "higher_is_better"}
    state = TrainingState.from_dict({**old, "best_value": -0.9, "best_epoch": 2}, higher_is_better=False)
    assert (state.best_value, state.higher_is_better) == (0.9, False)
    assert state.observe(0.85) and TrainingState.from_dict(state.as_dict(), False) == state
    folder = RunFolder(tmp_path)
    folder.write_status(**{**old, "best_value": -0.9})
    assert folder.status()["best_value"] == 0.9
    folder.write_status(**state.as_dict())
    assert folder.status()["best_value"] == 0.85


def test_peak_memory_is_that_of_the_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run is another process, whose own peak may be lower."""
    peaks = iter([10.0, 700.0, 20.0])
    monkeypatch.setattr("trainers.trainer.peak_memory_mib", lambda device: next(peaks))
    make_trainer(tmp_path, [0.1, 0.2], saturation_wait_epochs=None, num_epochs=2, checkpoint_seconds=0).train(False)
    second = make_trainer(tmp_path, [0.3], saturation_wait_epochs=None, num_epochs=3)
    state = second.train(resume=True)
    assert (state.epoch, state.peak_memory_mib) == (3, 700.0)


@pytest.mark.parametrize(
    ("max_len", "lengths"),
    [(128, [128, 64, 32, 16, 8, 4, 2, 1]), (100, [100, 50, 25, 12, 6, 3, 1]), (7, [7, 3, 1]), (2, [2, 1])],
)
def test_transfer_stages(tmp_path: Path, max_len: int, lengths: list[int]) -> None:
    trainer = make_trainer(tmp_path, trainer="vae", max_len=max_len)
    assert [stage.recover_len for stage in trainer.stages()] == lengths
    assert {stage.dropout_scale for stage in trainer.stages()} == {1.0}
    falling = make_trainer(tmp_path, trainer="vae", max_len=max_len, decrease_dropout=True)
    assert [stage.dropout_scale for stage in falling.stages()] == [n / max_len for n in lengths]
    one = make_trainer(tmp_path, trainer="vae", max_len=max_len, train_transfer=False)
    assert [stage.recover_len for stage in one.stages()] == [max_len]


def test_every_stage_is_entered_in_order(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, [0.5], trainer="vae", saturation_wait_epochs=1)
    state = trainer.train(resume=False)
    model = trainer.model
    assert isinstance(model, TableModel)
    assert [length for _, length, _ in model.entered] == [8, 4, 2, 1]
    assert state.stopped_by == "saturation"
    assert state.epoch == 5  # the best, and one epoch of waiting in each of the four stages


@pytest.mark.parametrize("best_model_transfer", [True, False])
def test_a_stage_starts_from_the_best_weights(tmp_path: Path, best_model_transfer: bool) -> None:
    trainer = make_trainer(
        tmp_path,
        [0.5, 0.1, 0.1],
        trainer="vae",
        max_len=2,
        saturation_wait_epochs=2,
        best_model_transfer=best_model_transfer,
        lr=0.1,
        num_epochs=4,
    )
    seen: list[torch.Tensor] = []  # the weights at the start of each epoch
    train_pass = trainer.train_pass
    trainer.train_pass = lambda: (seen.append(trainer.model.table.detach().clone()), train_pass())[1]  # type: ignore
    trainer.train(resume=False)
    assert len(seen) == 4
    best = seen[1]  # after epoch 1
    assert torch.equal(seen[3], best) == best_model_transfer
    assert not torch.equal(seen[2], best)
    assert torch.equal(trainer.model.table.detach(), best)  # type: ignore[arg-type]  # it ends with the best weights
    assert torch.equal(load_file(tmp_path / "models" / "best.safetensors")["table"], best)


def test_the_logged_learning_rate_equals_steplr(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path, lr=0.02, decay_step=3, gamma=0.7, num_epochs=10, saturation_wait_epochs=None, optimizer="sgd"
    )
    trainer.train(resume=False)
    lines = (tmp_path / "tables" / "train_log.csv").read_text().splitlines()
    place = lines[0].split(",").index("lr")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.7)
    expected = []
    for _ in range(10):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert [float(line.split(",")[place]) for line in lines[1:]] == pytest.approx(expected, rel=1e-12)


def test_the_logged_learning_rate_is_the_one_used(tmp_path: Path) -> None:
    """With the gradient always 1, plain SGD moves by the sum of the rates."""
    trainer = make_trainer(
        tmp_path,
        model=TableModel(loss_of=lambda table, _: table.sum()),
        optimizer="sgd",
        lr=0.5,
        decay_step=1,
        gamma=0.1,
        clip_grad_norm=None,
        num_epochs=3,
        script=[0.1, 0.2, 0.3],
    )
    before = trainer.model.table.detach().clone()  # type: ignore[operator,union-attr]
    trainer.train(resume=False)
    steps = trainer.setup.loader.batches_per_epoch()
    moved = before - trainer.model.table.detach()  # type: ignore[operator]
    torch.testing.assert_close(moved, torch.full_like(moved, steps * 0.5 * 1.11))


def test_steps_count_over_epochs_and_stages(tmp_path: Path) -> None:
    steps: list[int] = []
    model = TableModel(loss_of=lambda table, step: (steps.append(step), table.sum())[1])
    trainer = make_trainer(tmp_path, [0.5], model, trainer="vae", max_len=4, saturation_wait_epochs=1)
    state = trainer.train(resume=False)
    assert steps == list(range(state.step))
    assert state.step == state.epoch * trainer.setup.loader.batches_per_epoch()


def test_num_epochs_and_max_minutes(tmp_path: Path) -> None:
    state = make_trainer(tmp_path / "a", [0.1, 0.2, 0.3], num_epochs=2).train(resume=False)
    assert (state.epoch, state.stopped_by) == (2, "num_epochs")
    state = make_trainer(tmp_path / "b", [0.1, 0.2, 0.3], max_minutes=1e-9).train(resume=False)
    assert (state.epoch, state.stopped_by) == (1, "max_minutes")


def test_a_pilot_is_two_epochs_of_two_batches(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, pilot=True)
    assert trainer.setup.loader.batches_per_epoch() > 2
    state = trainer.train(resume=False)
    assert (state.epoch, state.step) == (2, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_nan_loss_is_an_error_that_names_the_model(tmp_path: Path, value: float) -> None:
    trainer = make_trainer(tmp_path, model=TableModel(loss_of=lambda table, _: table.sum() * value))
    with pytest.raises(UserError, match=r"model table.*epoch 1"):
        trainer.train(resume=False)


def test_nan_scores_are_an_error_that_names_the_model(tmp_path: Path) -> None:
    model = TableModel()
    with torch.no_grad():
        model.table[3] = torch.nan
    trainer = make_trainer(tmp_path, model=model)
    trainer.train_pass = lambda: {"loss": 1.0}  # type: ignore[method-assign]
    with pytest.raises(UserError, match="model 'table'"):
        trainer.train(resume=False)


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5, 6])
def test_a_resumed_run_ends_in_the_same_bits(tmp_path: Path, stop_after: int) -> None:
    """Weights, state and tables are those of an uninterrupted run."""
    options: dict[str, Any] = {
        "trainer": "vae",
        "max_len": 4,
        "saturation_wait_epochs": 2,
        "decay_step": 2,
        "gamma": 0.5,
        "lr": 0.3,
        "checkpoint_seconds": 0,
    }
    script = [0.1, 0.3, 0.2, 0.1, 0.25, 0.4, 0.2, 0.1, 0.1, 0.1]
    whole = make_trainer(tmp_path / "whole", script, **options)
    state = whole.train(resume=False)

    make_trainer(tmp_path / "cut", script, **options, num_epochs=stop_after).train(resume=False)
    second = make_trainer(tmp_path / "cut", script[stop_after:], seed=99, **options)
    with torch.no_grad():
        second.model.table.fill_(7)  # type: ignore[operator,union-attr]
    resumed = second.train(resume=True)
    assert (resumed.epoch, resumed.step, resumed.stage) == (state.epoch, state.step, state.stage)
    assert (resumed.best_epoch, resumed.best_value, resumed.stopped_by) == (6, 0.4, "saturation")
    assert torch.equal(second.model.table, whole.model.table)  # type: ignore[arg-type]
    for name in ("train", "val"):
        first, other = ((tmp_path / f / "tables" / f"{name}_log.csv").read_bytes() for f in ("whole", "cut"))
        assert first == other


def test_a_resumed_run_writes_missing_best_weights(tmp_path: Path) -> None:
    make_trainer(tmp_path, num_epochs=2, checkpoint_seconds=0).train(resume=False)
    best = tmp_path / "models" / "best.safetensors"
    before = best.read_bytes()
    best.unlink()  # as if killed between the last checkpoint and writing them
    make_trainer(tmp_path, num_epochs=2, checkpoint_seconds=0).train(resume=True)
    assert best.read_bytes() == before


def test_a_run_records_the_code_versions_that_trained_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("trainers.trainer.code_version", lambda: "one")
    make_trainer(tmp_path, num_epochs=1, checkpoint_seconds=0).train(resume=False)
    monkeypatch.setattr("trainers.trainer.code_version", lambda: "two")
    caplog.clear()
    rest = make_trainer(tmp_path, num_epochs=2, checkpoint_seconds=0)
    monkeypatch.setattr("trainers.trainer.describe_device", lambda device, workers: "another")
    state = rest.train(resume=True)
    assert state.codes == ["one", "two"] and state.machines[1:] == ["another"]
    assert f"started with one on {state.machines[0]} and resumes with code two on another" in caplog.text


def test_interrupted_training_keeps_its_best_weights(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, [0.1, 0.5, 0.2, 0.3])
    tables: list[torch.Tensor] = []
    train_pass = trainer.train_pass

    def counted() -> dict[str, float]:
        tables.append(trainer.model.table.detach().clone())  # type: ignore[operator]
        trainer.interrupted = len(tables) == 4
        return train_pass()

    trainer.train_pass = counted  # type: ignore[method-assign]
    state = trainer.train(resume=False)
    assert (state.epoch, state.best_epoch, state.stopped_by) == (3, 2, None)
    assert torch.equal(trainer.model.table.detach(), tables[2])  # type: ignore[operator]
    assert torch.equal(load_file(tmp_path / "models" / "best.safetensors")["table"], tables[2])


@pytest.mark.parametrize("first_wrong", [0, -1])
def test_a_run_that_diverges_keeps_its_best_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first_wrong: int
) -> None:
    """A NaN gradient in epoch 3 shows in the next loss if it is in the first step, and in validation if in the last."""
    steps = make_trainer(tmp_path / "counted").setup.loader.batches_per_epoch()
    begin = 2 * steps + first_wrong % steps

    def breaking(table: Tensor, step: int) -> Tensor:
        return (table - 1).square().mean() if step < begin else table + (table * 0).sqrt().sum()

    model = TableModel(loss_of=lambda table, step: breaking(table, step).mean())
    state = make_trainer(tmp_path, model=model).train(resume=False)
    assert (state.epoch, state.stopped_by) == (2, "diverged") and state.best_epoch in (1, 2)
    assert model.table.isfinite().all()
    assert f"{'loss' if first_wrong == 0 else 'scores'}" in caplog.text
    assert f"the best model so far, of epoch {state.best_epoch}, will be tested" in caplog.text
    assert torch.equal(load_file(tmp_path / "models" / "best.safetensors")["table"], model.table.detach())


def test_a_run_that_diverges_at_once_fails(tmp_path: Path) -> None:
    model = TableModel(loss_of=lambda table, step: (table * float("nan")).sum())
    with pytest.raises(DivergedError, match="became nan in epoch 1"):
        make_trainer(tmp_path, model=model).train(resume=False)


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.default_int_handler])
def test_ctrl_c_ends_training_unless_it_is_ignored(tmp_path: Path, before: Any) -> None:
    """Shells start the background jobs of a script with SIGINT ignored."""
    trainer = make_trainer(tmp_path, [0.1, 0.5, 0.2, 0.3], num_epochs=3)
    train_pass = trainer.train_pass

    def pressed() -> dict[str, float]:
        if trainer.state.epoch > 0:
            os.kill(os.getpid(), signal.SIGINT)
        return train_pass()

    trainer.train_pass = pressed  # type: ignore[method-assign]
    outside = signal.signal(signal.SIGINT, before)
    try:
        trainer.train(resume=False)
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, outside)
    assert trainer.interrupted is (before is not signal.SIG_IGN)


def test_the_mean_loss_weights_batches_by_size(tmp_path: Path) -> None:
    """Batches of 3, 3 and a smaller last one, with losses 0, 1, 2, ...: the mean is over windows."""
    model = TableModel(loss_of=lambda table, step: table.sum() * 0 + step)
    trainer = make_trainer(tmp_path, [0.1], model, num_epochs=1)
    windows = len(trainer.setup.loader.windows)
    assert windows % 3 != 0
    trainer.train(resume=False)
    row = (tmp_path / "tables" / "train_log.csv").read_text().splitlines()
    logged = dict(zip(row[0].split(","), row[1].split(","), strict=True))
    sizes = [min(3, windows - first) for first in range(0, windows, 3)]
    assert float(logged["loss"]) == pytest.approx(sum(n * step for step, n in enumerate(sizes)) / windows)


def test_training_does_not_change_the_data(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, [0.1, 0.2], num_epochs=2)
    before = copy.deepcopy(trainer.setup.loader.data.items)
    trainer.train(resume=False)
    assert (trainer.setup.loader.data.items == before).all()
