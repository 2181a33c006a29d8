"""Causal filters against explicit Fourier transforms, recurrences against loops, and the models made of them."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers_sequential import make_loader, make_model, timed_split
from torch import Tensor

from models.layers.causal_filter import filter_by_channel, filter_by_one, kernel_of, low_pass_kernel
from models.layers.linear_recurrence import by_kernel, linear_recurrence
from models.layers.selective_scan import selective_scan

ITEMS = [5, 3, 9, 9, 1, 12]
WIDTH, WINDOW = 16, 8  # as `make_model` and `make_loader` have it


def model_of(code: str, options: dict[str, Any] | None = None) -> Any:
    return make_model(code, make_loader("sas", timed_split()), options or {})


def filtered(x: Tensor, response: Any, window: int) -> Tensor:
    """What the papers' filter gives the last position of each prefix of x [T, H], with zeros before it.

    response : complex [window // 2 + 1, H or 1], by which the orthonormal transform of the window is multiplied
    """
    rows = []
    for end in range(1, len(x) + 1):
        padded = np.zeros((window, x.shape[1]))
        padded[window - end :] = x[:end].detach().numpy()
        place = np.arange(window)
        transform = np.exp(-2j * np.pi * np.outer(np.arange(window // 2 + 1), place) / window) / window**0.5
        spectrum = (transform @ padded) * response
        twice = np.where((np.arange(window // 2 + 1) == 0) | (np.arange(window // 2 + 1) * 2 == window), 1, 2)
        rows.append((transform.conj().T @ (twice[:, None] * spectrum)).real[-1])
    return torch.tensor(np.array(rows))


@pytest.mark.parametrize("window", [1, 7, 8])
@pytest.mark.parametrize("frequencies", [1, 3])
def test_the_low_pass_filter_is_the_papers(window: int, frequencies: int) -> None:
    x = torch.randn(2, min(window, 6), 3, dtype=torch.float64)
    kept = (np.arange(window // 2 + 1) < frequencies)[:, None]
    found = filter_by_one(x, low_pass_kernel(window, frequencies).double())
    for row, expected in zip(found, x, strict=True):
        torch.testing.assert_close(row, filtered(expected, kept, window), rtol=0, atol=1e-6)


def test_the_low_pass_filter_keeps_a_constant_of_full_length() -> None:
    kernel = low_pass_kernel(8, 3)
    torch.testing.assert_close(filter_by_one(torch.ones(1, 8, 1), kernel)[0, -1], torch.ones(1))
    alternating = torch.tensor([1.0, -1.0] * 4)[None, :, None]
    torch.testing.assert_close(filter_by_one(alternating, kernel)[0, -1], torch.zeros(1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("window", [6, 7, 9])
def test_the_learned_filter_is_the_papers(window: int) -> None:
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    response = torch.randn(window // 2 + 1, 3, dtype=torch.complex128)
    found = filter_by_channel(x, kernel_of(response, window))
    with mock.patch("torch.compiler.is_exporting", return_value=True):
        torch.testing.assert_close(filter_by_channel(x, kernel_of(response, window)), found)
    for row, expected in zip(found, x, strict=True):
        torch.testing.assert_close(row, filtered(expected, response.numpy(), window))


def loop(x: Tensor, decay: Tensor) -> Tensor:
    states = [x[0]]
    for row in x[1:]:
        states.append(decay * states[-1] + row)
    return torch.stack(states)


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 30])
def test_the_parallel_recurrence_is_the_loop(length: int) -> None:
    x, decay = numbers(length, 2, 3).requires_grad_(), (numbers(3) * 0.5).requires_grad_()
    weights = numbers(length, 2, 3)
    found = []
    for function in (loop, linear_recurrence, by_kernel):
        states = function(x, decay)
        x.grad = decay.grad = None
        ((states * weights).real.sum() + 0 * decay.real.sum()).backward()
        found.append([states, x.grad, decay.grad])
    for other in found[1:]:
        for value, expected in zip(other, found[0], strict=True):
            torch.testing.assert_close(value, expected)


def test_gradients_of_the_recurrence() -> None:
    x, decay = numbers(5, 1, 2).requires_grad_(), (numbers(2) * 0.5).requires_grad_()
    assert torch.autograd.gradcheck(linear_recurrence, (x, decay))


def scanned(x: Tensor, delta: Tensor, decay: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """The selective scan, one position, user and unit at a time: [T, B, D]"""
    rows = []
    for user in range(x.shape[1]):
        units = []
        for unit in range(x.shape[2]):
            h, found = torch.zeros(decay.shape[1], dtype=x.dtype), []
            for t in range(x.shape[0]):
                step = delta[t, user, unit]
                h = (step * decay[unit]).exp() * h + step * x[t, user, unit] * enter[t, user]
                found.append(leave[t, user] @ h)
            units.append(torch.stack(found))
        rows.append(torch.stack(units, 1))
    return torch.stack(rows, 1)


def test_the_selective_scan_is_the_loop() -> None:
    random = torch.Generator().manual_seed(0)
    shapes = (5, 2, 3), (5, 2, 3), (3, 4), (5, 2, 4), (5, 2, 4)
    given = [torch.randn(*shape, dtype=torch.float64, generator=random) for shape in shapes]
    given = [given[0], given[1].exp(), -given[2].exp(), *given[3:]]
    for tensor in given:
        tensor.requires_grad_()
    weights = torch.randn(5, 2, 3, dtype=torch.float64)
    own, expected = selective_scan(*given), scanned(*given)
    torch.testing.assert_close(own, expected)
    with torch.no_grad():
        torch.testing.assert_close(selective_scan(*given), expected)
    gradients = [torch.autograd.grad((y * weights).sum(), given) for y in (own, expected)]
    for found, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(found, plain)


def test_mamba4rec_equals_its_formula() -> None:
    model = model_of("mamba4rec", {"state_size": 3, "num_blocks": 2})
    x = norm(model.norm, model.items.weight[ITEMS])
    for block in model.blocks:
        layer = block.layer
        raised, gate = (x @ layer.input.weight.T).chunk(2, 1)
        before = torch.cat([torch.zeros(3, 2 * WIDTH, dtype=torch.float64), raised])
        taps = layer.convolution.weight[:, 0].T  # [4, units]
        mixed = F.silu(torch.stack([(before[i : i + 4] * taps).sum(0) for i in range(len(x))]) + layer.convolution.bias)
        selected = mixed @ layer.select.weight.T
        delta = F.softplus(layer.delta(selected[:, :1]))
        enter, leave = selected[:, 1:4], selected[:, 4:]
        y = scanned(*(part[:, None] for part in (mixed, delta)), -layer.log_decay.exp(), enter[:, None], leave[:, None])
        out = layer.output((y[:, 0] + layer.skip * mixed) * F.silu(gate))
        x = fed(block.feed_forward, norm(block.add.norm, x + out))
    found = model.states(torch.tensor([[*ITEMS, 0]]), torch.tensor([6]), None, None)[0, :6]
    torch.testing.assert_close(found, x)


def norm(layer: Any, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], layer.weight, layer.bias)


def fed(layer: Any, x: Tensor) -> Tensor:
    return norm(layer.add.norm, x + layer.feed_forward.down(F.gelu(layer.feed_forward.up(x))))


def test_lrurec_equals_its_formula() -> None:
    model = model_of("lrurec")
    x = norm(model.norm, model.items.weight[ITEMS])
    for block in model.blocks:
        unit = block.unit
        decay = torch.exp(-unit.log_nu.exp() + 1j * unit.log_theta.exp())
        rows, h = [], torch.zeros(2 * WIDTH, dtype=torch.complex128)
        for row in x:
            driven = unit.input(row)
            h = decay * h + unit.log_gamma.exp() * torch.complex(driven[0::2], driven[1::2])
            weight = torch.complex(unit.output.weight[:, 0::2], -unit.output.weight[:, 1::2])
            rows.append((weight @ h).real + unit.output.bias)
        x = fed(block.feed_forward, norm(block.add.norm, x + torch.stack(rows)))
    padded = torch.tensor([[*ITEMS, 0, 0]])
    torch.testing.assert_close(model.states(padded, torch.tensor([6]), None, None)[0, :6], x)
    hidden = model.last_states(padded, torch.tensor([6]), None, None)
    torch.testing.assert_close(model.items.logits(hidden)[0], x[-1] @ model.items.weight.T + model.items.bias)


def test_lrurec_step_by_step_is_lrurec_in_parallel() -> None:
    model = model_of("lrurec")
    items = torch.randint(1, 30, (3, 8), generator=torch.Generator().manual_seed(0))
    parallel = model.states(items, torch.full((3,), 8), None, None)
    state = model.initial_state(3)
    for place in range(8):
        hidden, state = model.step(items[:, place], state)
        torch.testing.assert_close(hidden, parallel[:, place])


def test_lrurec_forgets_slowly_at_first() -> None:
    torch.manual_seed(0)
    radius = model_of("lrurec").blocks[0].unit.__class__(64).decay().abs()
    assert radius.min() >= 0.8 and radius.max() <= 0.99


def test_fmlp_equals_its_formula() -> None:
    model = model_of("fmlp")
    x = norm(model.norm, model.items.weight[ITEMS] + model.positions.table.weight[-len(ITEMS) :])
    for block in model.blocks:
        response = torch.view_as_complex(block.response).detach().numpy()
        x = fed(block.feed_forward, norm(block.add.norm, x + filtered(x, response, WINDOW)))
    found = model.states(torch.tensor([[*ITEMS, 0]]), torch.tensor([6]), None, None)[0, :6]
    torch.testing.assert_close(found, x)


def test_bsarec_equals_its_formula() -> None:
    model = model_of("bsarec", {"filter_share": 0.6, "low_frequencies": 2})
    x = norm(model.norm, model.items.weight[ITEMS] + model.positions.table.weight[-len(ITEMS) :])
    for block in model.blocks:
        low = filtered(x, np.array([1, 1, 0, 0, 0])[:, None], WINDOW)
        f = norm(block.add_filtered.norm, x + low + block.beta**2 * (x - low))
        q, k, v = block.attention.query_key_value(x).chunk(3, -1)
        heads = []
        for h in range(2):
            part = slice(h * WIDTH // 2, (h + 1) * WIDTH // 2)
            scores = q[:, part] @ k[:, part].T / (WIDTH / 2) ** 0.5
            later = torch.ones(len(ITEMS), len(ITEMS)).triu(1).bool()
            heads.append(scores.masked_fill(later, -torch.inf).softmax(1) @ v[:, part])
        a = norm(block.add_attended.norm, x + block.attention.output(torch.cat(heads, 1)))
        x = fed(block.feed_forward, 0.6 * f + 0.4 * a)
    found = model.states(torch.tensor([[*ITEMS, 0]]), torch.tensor([6]), None, None)[0, :6]
    torch.testing.assert_close(found, x, rtol=1e-5, atol=1e-5)
