"""Optimizers, clipping and the learning rate, against torch's own."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from helpers_sequential import make_loader, timed_split
from torch import nn

from common.errors import UserError
from common.workers import Workers
from models import MODELS, Dimensions
from trainers.checkpoint import flatten_optimizer, restore_optimizer
from trainers.optimization import add_gradients, add_gradients_of_pieces, clip_gradients, learning_rate, make_optimizer
from trainers.options import GenericTrainerOptions, TransferTrainerOptions
from trainers.randomness import Generators


def options(**values: Any) -> GenericTrainerOptions:
    return GenericTrainerOptions.model_validate(values)


def parameters(scale: float) -> list[nn.Parameter]:
    """Three parameters with gradients, one without."""
    made = [nn.Parameter(torch.zeros(shape)) for shape in ((4, 3), (5,), (2, 2), (7,))]
    generator = torch.Generator().manual_seed(1)
    for parameter in made[:-1]:
        parameter.grad = torch.randn(parameter.shape, generator=generator) * scale
    return made


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("max_norm", [0.5, 5.0])
def test_clipping_equals_torchs(scale: float, max_norm: float) -> None:
    ours, theirs = parameters(scale), parameters(scale)
    norm = clip_gradients(ours, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(norm, expected)
    for own, other in zip(ours[:-1], theirs[:-1], strict=True):
        # torch multiplies by min(1, max_norm / (norm + 1e-6)); here gradients within the norm stay as they are
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-5, atol=0)
    assert ours[-1].grad is None


def test_clipping_keeps_the_direction_and_bounds_the_norm() -> None:
    made = parameters(1e3)
    before = torch.cat([p.grad.flatten() for p in made[:-1] if p.grad is not None])
    clip_gradients(made, 2.0)
    after = torch.cat([p.grad.flatten() for p in made[:-1] if p.grad is not None])
    assert after.norm() <= 2.0 * (1 + 1e-6)  # up to rounding
    torch.testing.assert_close(after / after.norm(), before / before.norm())


@pytest.mark.parametrize(("decay_step", "gamma"), [(None, 0.5), (1, 0.9), (16, 0.9), (3, 1.0)])
def test_the_learning_rate_equals_steplr(decay_step: int | None, gamma: float) -> None:
    given = options(lr=5e-3, decay_step=decay_step, gamma=gamma)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=5e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, decay_step or 10**9, gamma)
    for epoch in range(50):
        assert learning_rate(given, epoch) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        ("adam", lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.98), weight_decay=0.02)),
        ("adamw", lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.98), weight_decay=0.02)),
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.02, momentum=0.5)),
    ],
)
def test_fused_optimizers_equal_the_plain_ones(kind: str, plain: Any) -> None:
    ours, theirs = nn.Parameter(torch.linspace(-1, 1, 40)), nn.Parameter(torch.linspace(-1, 1, 40))
    momentum = 0.5 if kind == "sgd" else 0.0
    given = options(optimizer=kind, lr=0.1, adam_beta2=0.98, weight_decay=0.02, momentum=momentum)
    fused, slow = make_optimizer([ours], given), plain([theirs])
    assert all(group["fused"] for group in fused.param_groups)
    assert type(fused) is type(slow)
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        gradient = torch.randn(40, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        fused.step()
        slow.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_options_without_effect_are_refused() -> None:
    with pytest.raises(ValueError, match=r"momentum .0.9. is an option of optimizer sgd, not of adamw"):
        options(optimizer="adamw", momentum=0.9)
    with pytest.raises(ValueError, match="decrease_dropout"):
        TransferTrainerOptions.model_validate({"train_transfer": False, "decrease_dropout": True})


def table_gradients(rows: int, width: int, steps: int, all_rows: bool) -> list[torch.Tensor]:
    """Gradients of a table [rows, width], one a step: of every row, or of two."""
    generator = torch.Generator().manual_seed(3)
    made = []
    for step in range(steps):
        gradient = torch.randn(rows, width, generator=generator)
        if not all_rows:
            gradient[[row for row in range(rows) if row not in (step % rows, 1)]] = 0
        made.append(gradient)
    return made


def sparse_rows(rows: list[int], values: torch.Tensor, total: int) -> torch.Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, (total, values.shape[1]), check_invariants=True)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_sparse_adam_equals_dense_if_all_rows_are_touched(optimizer: str) -> None:
    sparse, dense = nn.Parameter(torch.ones(9, 5)), nn.Parameter(torch.ones(9, 5))
    given = {"optimizer": optimizer, "lr": 0.05, "weight_decay": 0.01}
    ours = make_optimizer([sparse], options(item_optimizer="sparse", **given))
    theirs = make_optimizer([dense], options(**given))
    for gradient in table_gradients(9, 5, 20, all_rows=True):
        sparse.grad, dense.grad = gradient.to_sparse(1), gradient.clone()
        ours.step()
        theirs.step()
    assert torch.equal(sparse, dense)


@pytest.mark.parametrize("kind", ["sparse", "sparse_adagrad"])
def test_rows_that_are_not_touched_stay(kind: str) -> None:
    table = nn.Parameter(torch.ones(6, 3))
    optimizer = make_optimizer([table], options(item_optimizer=kind, lr=0.05, weight_decay=0.01))
    gradient = sparse_rows([4, 1, 4], torch.ones(3, 3), 6)  # row 4 twice
    table.grad = gradient
    optimizer.step()
    assert torch.equal(table[[0, 2, 3, 5]], torch.ones(4, 3))
    assert (table[[1, 4]] < 1).all()


def test_rowwise_adagrad_follows_its_formula() -> None:
    table, expected = nn.Parameter(torch.ones(4, 3)), torch.ones(4, 3)
    optimizer = make_optimizer([table], options(item_optimizer="sparse_adagrad", lr=0.1))
    sums = torch.zeros(4)
    for gradient in table_gradients(4, 3, 10, all_rows=False):
        table.grad = gradient.to_sparse(1)
        optimizer.step()
        sums += gradient.square().mean(1)
        expected -= 0.1 * gradient / (sums.sqrt() + 1e-8)[:, None]
    torch.testing.assert_close(table.detach(), expected)


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_of_sparse_gradients_equals_dense(max_norm: float) -> None:
    values = torch.randn(3, 2, generator=torch.Generator().manual_seed(4))
    sparse, dense, beside = (nn.Parameter(torch.ones(6, 2)) for _ in range(3))
    sparse.grad = sparse_rows([4, 1, 4], values, 6)
    dense.grad = sparse.grad.to_dense()
    beside.grad = torch.full((6, 2), 0.3)
    other = nn.Parameter(torch.ones(6, 2))
    other.grad = beside.grad.clone()
    torch.testing.assert_close(clip_gradients([sparse, beside], max_norm), clip_gradients([dense, other], max_norm))
    torch.testing.assert_close(sparse.grad.to_dense(), dense.grad)
    torch.testing.assert_close(beside.grad, other.grad)


def test_a_checkpoint_of_a_sparse_optimizer_resumes() -> None:
    gradients = [gradient.to_sparse(1) for gradient in table_gradients(6, 3, 8, all_rows=False)]
    for kind in ("sparse", "sparse_adagrad"):
        given = options(item_optimizer=kind, lr=0.05)
        whole, first = nn.Parameter(torch.ones(6, 3)), nn.Parameter(torch.ones(6, 3))
        uninterrupted, before = make_optimizer([whole], given), make_optimizer([first], given)
        for gradient in gradients:
            whole.grad = gradient
            uninterrupted.step()
        for gradient in gradients[:4]:
            first.grad = gradient
            before.step()
        second = nn.Parameter(first.detach().clone())
        after = make_optimizer([second], given)
        restore_optimizer(after, flatten_optimizer(before))
        for gradient in gradients[4:]:
            second.grad = gradient
            after.step()
        assert torch.equal(whole, second)


def test_pieces_of_sparse_gradients_add_up_to_the_dense_ones() -> None:
    loader = make_loader("sas", timed_split(), train_negative_sample_size=3)
    batch, gradients = next(loader.epoch(torch.Generator().manual_seed(1))), []
    for sparse in (False, True):
        torch.manual_seed(0)
        sizes = Dimensions(loader.data.num_items, loader.data.num_users, loader.max_len)
        model = MODELS["sas"](MODELS["sas"].Options(hidden_units=8, loss="bce"), sizes)
        if sparse:
            model.use_sparse_gradients()
        generators = Generators(3, torch.device("cpu"))
        losses = add_gradients_of_pieces(model, batch, 0, generators, None, 4, Workers())
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None} | losses)
    dense, sparse_ones = gradients
    table = sparse_ones["items.weight"]
    assert table.is_sparse and len(table.indices()[0]) < len(table)
    for name, values in dense.items():
        assert torch.equal(sparse_ones[name].to_dense(), values), name


def test_sparse_items_need_adam() -> None:
    with pytest.raises(ValueError, match="item_optimizer sparse needs optimizer adam or adamw, not sgd"):
        options(item_optimizer="sparse", optimizer="sgd")


def test_a_loss_without_named_parts_is_explained() -> None:
    model = SimpleNamespace(code="mine", loss=lambda batch, step, generator: torch.zeros(()))
    with pytest.raises(UserError, match=r"`loss` of model mine returned a Tensor: .* `return loss, {}`"):
        add_gradients(cast(Any, model), cast(Any, None), 0, torch.Generator(), None)
