"""Models against plain loops in float64 that follow the papers' formulas item by item."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers_sequential import NUM_ITEMS, make_loader, make_model, timed_split
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch_counting import LargestResult

from dataloaders import Batch
from models import Model, fuxi, hstu, tisas
from models.layers import temporal
from models.layers.attention import SelfAttention
from models.layers.chunks import by_rows
from models.layers.temporal import GRID, kernel_grid

WIDTH, HEADS = 16, 2
DEPTH = WIDTH // HEADS
ITEMS = [5, 3, 9, 9, 1, 12]
TIMES = [0, 0, 3600, 3660, 200_000, 200_001, 290_000]


def loop_attention(layer: SelfAttention, queries: Tensor, x: Tensor, causal: bool) -> Tensor:
    """softmax(q k / sqrt(d)) v, one query, head and key at a time: [T, H] -> [T, H]."""
    q = layer.query_key_value(queries).chunk(3, -1)[0]
    _, k, v = layer.query_key_value(x).chunk(3, -1)
    rows = []
    for i in range(len(x)):
        heads = []
        for h in range(layer.heads):
            part = slice(h * DEPTH, (h + 1) * DEPTH)
            keys = range(i + 1) if causal else range(len(x))
            weights = torch.stack([q[i, part] @ k[j, part] / math.sqrt(DEPTH) for j in keys]).exp()
            heads.append(sum(w * v[j, part] for w, j in zip(weights / weights.sum(), keys, strict=True)))
        rows.append(torch.cat(heads))
    return layer.output(torch.stack(rows))


def loop_block(block: Any, x: Tensor, causal: bool) -> Tensor:
    normed = block.attention_norm(x)
    x = x + loop_attention(block.attention, normed, normed, causal)
    z = block.feed_forward_norm(x)
    return x + block.feed_forward.down(F.gelu(block.feed_forward.up(z)))


def model_of(code: str, options: dict[str, Any] | None = None) -> Model:
    loader = make_loader({"bert": "bert", "meantime": "bert"}.get(code, "sas"), timed_split())
    return make_model(code, loader, options or {})


def states(model: Any, padding: int = 1) -> Tensor:
    """The model's states of ITEMS, [T, H], computed with padding after them, as in a batch."""
    items = torch.tensor([ITEMS + [0] * padding])
    times = torch.tensor([TIMES[:-1] + [0] * padding]) + 10**9
    following = torch.tensor([TIMES[1:] + [0] * padding]) + 10**9
    return model.states(items, torch.tensor([len(ITEMS)]), times, following)[0, : len(ITEMS)]


def places_of(embedding: Any, origin: str) -> Tensor:
    """The vectors of ITEMS' positions, [T, H]."""
    table: Tensor = embedding.table.weight
    return table[: len(ITEMS)] if origin == "start" else table[-len(ITEMS) :]


@pytest.mark.parametrize("origin", ["end", "start"])
def test_sas_equals_its_formula(origin: str) -> None:
    model: Any = model_of("sas", {"positions_from": origin})
    places = places_of(model.positions, origin)
    x = model.items.weight[ITEMS] * math.sqrt(WIDTH) + places
    for block in model.body.blocks:
        normed = block.attention_norm(x)
        x = normed + loop_attention(block.attention, normed, x, causal=True)
        z = block.feed_forward_norm(x)
        x = z + block.feed_forward.down(F.gelu(block.feed_forward.up(z)))
    torch.testing.assert_close(states(model), model.body.norm(x))
    last = model.last_states(torch.tensor([ITEMS]), torch.tensor([len(ITEMS)]), None, None)
    torch.testing.assert_close(last[0], model.body.norm(x)[-1])


def rms(x: Tensor, scale: Tensor) -> Tensor:
    """x / sqrt(mean(x^2)) * scale"""
    return x / (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt() * scale


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_esas_equals_its_formula(norm: str) -> None:
    model: Any = model_of("esas", {"norm": norm})
    x = model.items.weight[ITEMS] * math.sqrt(WIDTH) + places_of(model.positions, "end")

    def normed(layer: Any, x: Tensor) -> Tensor:
        return layer(x) if norm == "layer" else rms(x, layer.weight)

    for block in model.body.blocks:
        z = normed(block.attention_norm, x)
        x = x + block.attention_gate(x).sigmoid() * loop_attention(block.attention, z, z, causal=True)
        first, third = block.feed_forward.up.weight.chunk(2)  # W1, W3
        z = normed(block.feed_forward_norm, x)
        fed = (F.silu(z @ first.T) * (z @ third.T)) @ block.feed_forward.down.weight.T
        x = x + block.feed_forward_gate(x).sigmoid() * fed
    torch.testing.assert_close(states(model), normed(model.body.norm, x))
    last = model.last_states(torch.tensor([ITEMS]), torch.tensor([len(ITEMS)]), None, None)
    torch.testing.assert_close(last[0], normed(model.body.norm, x)[-1])


def test_bert_equals_its_formula() -> None:
    model: Any = model_of("bert")
    x = torch.cat([model.items.weight[ITEMS], model.hidden_item[None]])
    x = x + model.positions.table.weight[-len(x) :]
    for block in model.body.blocks:
        x = loop_block(block, x, causal=False)
    head = model.head
    out = head.norm(F.gelu(head.linear(model.body.norm(x)[-1])))
    expected = out @ model.items.weight.T + head.bias
    items = torch.tensor([[0, *ITEMS]])
    torch.testing.assert_close(model.scores(Batch(users=torch.zeros(1).long(), items=items))[0], expected)


def test_gru4rec_equals_its_formula() -> None:
    model: Any = model_of("gru4rec", {"gru_units": 5})
    gru = model.gru
    h = torch.zeros(5, dtype=torch.float64)
    rows = []
    for item in ITEMS:
        x = F.linear(model.items.weight[item], gru.weight_ih_l0, gru.bias_ih_l0).chunk(3)
        s = F.linear(h, gru.weight_hh_l0, gru.bias_hh_l0).chunk(3)
        reset, update = (x[0] + s[0]).sigmoid(), (x[1] + s[1]).sigmoid()
        new = (x[2] + reset * s[2]).tanh()
        h = (1 - update) * new + update * h
        rows.append(model.output(h))
    torch.testing.assert_close(states(model), torch.stack(rows))


def test_narm_equals_its_formula() -> None:
    model: Any = model_of("narm", {"gru_units": 5, "attention_units": 3})
    h, _ = model.gru(model.items.weight[ITEMS][None])
    rows = []
    for i in range(len(ITEMS)):
        queries = [(model.query(h[0, i]) + model.key(h[0, j])).sigmoid() for j in range(i + 1)]
        local = sum(model.score(query) * h[0, j] for j, query in enumerate(queries))
        rows.append(model.output(torch.cat([h[0, i], local])))
    torch.testing.assert_close(states(model), torch.stack(rows))
    last = model.last_states(torch.tensor([[*ITEMS, 0]]), torch.tensor([len(ITEMS)]), None, None)
    torch.testing.assert_close(last[0], rows[-1])


def test_caser_equals_its_formula() -> None:
    model: Any = model_of("caser", {"markov_order": 3, "horizontal_filters": 2, "vertical_filters": 2})
    embedded = torch.cat([torch.zeros(2, WIDTH, dtype=torch.float64), model.context.weight[ITEMS]])
    rows = []
    for i in range(len(ITEMS)):
        window, found = embedded[i : i + 3], []
        for height, layer in enumerate(model.horizontal, 1):
            for f in range(2):
                places = [window[p : p + height] for p in range(4 - height)]
                found.append(max(((x * layer.weight[f].T).sum() + layer.bias[f]).relu() for x in places))
        for f in range(2):
            found += list(model.vertical.weight[f] @ window + model.vertical.bias[f])
        rows.append(model.join(torch.stack(found)).relu())
    z = torch.stack(rows)
    with_padding = [states(model), model.with_users(states(model)[None], torch.tensor([2]))[0]]
    torch.testing.assert_close(with_padding[0], z)
    user = model.users.weight[2]
    torch.testing.assert_close(with_padding[1], torch.cat([z, user.expand(len(z), -1)], 1))
    scores = model.scores(Batch(users=torch.tensor([2]), items=torch.tensor([ITEMS])))[0]
    torch.testing.assert_close(scores, model.items.weight @ torch.cat([z[-1], user]) + model.items.bias)


@pytest.mark.parametrize("use_time, origin", [(False, "end"), (True, "start")])
def test_hstu_equals_its_formula(use_time: bool, origin: str) -> None:
    model: Any = model_of("hstu", {"use_time": use_time, "positions_from": origin})
    x = model.items.weight[ITEMS] * math.sqrt(WIDTH) + places_of(model.positions, origin)
    for block in model.blocks:
        u, v, q, k = F.silu(block.input(block.input_norm(x))).chunk(4, -1)
        rows = []
        for i in range(len(ITEMS)):
            heads = []
            for h in range(HEADS):
                part = slice(h * DEPTH, (h + 1) * DEPTH)
                total = torch.zeros(DEPTH, dtype=torch.float64)
                for j in range(i + 1):
                    score = q[i, part] @ k[j, part] + block.position_bias[i - j]
                    if use_time:
                        seconds = max(1, abs(TIMES[i + 1] - TIMES[j]))
                        score = score + block.time_bias[int(math.log(seconds) / 0.301)]
                    total = total + F.silu(score) / 8 * v[j, part]
                heads.append(total)
            rows.append(torch.cat(heads))
        x = x + block.output(block.output_norm(torch.stack(rows)) * u)
    torch.testing.assert_close(states(model), model.norm(x))


@pytest.mark.parametrize("use_time", [False, True])
def test_fuxi_equals_its_formula(use_time: bool) -> None:
    model: Any = model_of("fuxi", {"use_time": use_time, "num_heads": 2})

    def unit(x: Tensor) -> Tensor:
        return rms(x, torch.ones(x.shape[-1]))

    x = model.items.weight[ITEMS] * math.sqrt(WIDTH) + places_of(model.positions, "end")
    for block in model.blocks:
        parts = F.silu(block.input(unit(x)))
        u, v, q, k = parts[:, : -3 * WIDTH], *parts[:, -3 * WIDTH :].chunk(3, -1)
        rows = []
        for i in range(len(ITEMS)):
            place = sum(block.position_weights[i - j] * v[j] for j in range(i + 1))
            heads = []
            for h in range(HEADS):
                part = slice(h * DEPTH, (h + 1) * DEPTH)
                heads.append(sum(F.silu(q[i, part] @ k[j, part]) / 8 * v[j, part] for j in range(i + 1)))
            timed = torch.zeros(WIDTH, dtype=torch.float64)
            for j in range(i + 1) if use_time else ():
                seconds = max(1, abs(TIMES[i + 1] - TIMES[j]))
                timed = timed + block.time_weights[int(math.log(seconds) / 0.301)] * v[j]
            rows.append(torch.cat([place, timed, *heads] if use_time else [place, *heads]))
        x = x + block.output(unit(torch.stack(rows)) * u)
        first, third = block.feed_forward.up.weight.chunk(2)
        z = unit(x)
        x = x + (F.silu(z @ first.T) * (z @ third.T)) @ block.feed_forward.down.weight.T
    torch.testing.assert_close(states(model), x)


@pytest.mark.parametrize("origin", ["end", "start"])
def test_tisas_equals_its_formula(origin: str) -> None:
    model: Any = model_of("tisas", {"tisas_max_time_intervals": 50, "positions_from": origin})
    count = len(ITEMS)
    x = model.items.weight[ITEMS] * math.sqrt(WIDTH)
    pk, pv = (places_of(table, origin) for table in (model.key_positions, model.value_positions))
    rk, rv = model.key_intervals.weight, model.value_intervals.weight
    for block in model.blocks:
        normed = block.attention_norm(x)
        q, k, v = block.query(normed), block.key(x), block.value(x)
        rows = []
        for i in range(count):
            gaps = [TIMES[j] - TIMES[j - 1] for j in range(1, i + 1) if TIMES[j] > TIMES[j - 1]]
            unit = min(gaps, default=1)
            r = [min(50, round((TIMES[i] - TIMES[j]) / unit)) for j in range(i + 1)]
            heads = []
            for h in range(HEADS):
                part = slice(h * DEPTH, (h + 1) * DEPTH)
                scores = [q[i, part] @ (k[j] + pk[j] + rk[r[j]])[part] / math.sqrt(DEPTH) for j in range(i + 1)]
                weights = torch.stack(scores).softmax(0)
                heads.append(sum(weights[j] * (v[j] + pv[j] + rv[r[j]])[part] for j in range(i + 1)))
            rows.append(torch.cat(heads))
        x = normed + torch.stack(rows)
        z = block.feed_forward_norm(x)
        x = z + block.down(F.relu(block.up(z)))
    torch.testing.assert_close(states(model), model.norm(x))


def kernel(kind: str, seconds: float, width: int, unit: float, freq: float) -> Tensor:
    """r(t_i - t_j) of the paper, as in the authors' code: [width]."""
    if kind == "s":
        phase = seconds / unit / freq ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
        return torch.cat([phase.sin(), phase.cos()])
    scaled = abs(seconds) / unit / freq ** (torch.arange(width, dtype=torch.float64) / width)
    return (-scaled).exp() if kind == "e" else scaled.log1p()


@pytest.mark.parametrize("absolute, relative", [("p-d", "s-l"), ("c", "e"), ("", "s"), ("d", "")])
def test_meantime_equals_its_formula(absolute: str, relative: str) -> None:
    options = {"absolute_kernel_types": absolute, "relative_kernel_types": relative, "time_unit_divide": 60.0}
    model: Any = model_of("meantime", {**options, "freq": 100.0})
    times = [1_000_000_000 + t for t in TIMES[:-1]]
    kinds = [k for k in absolute.split("-") if k], [k for k in relative.split("-") if k]
    depth = WIDTH // (len(kinds[0]) + len(kinds[1]))
    x = model.items.weight[ITEMS]
    count = len(x)
    dimensions = model.dimensions
    embedded = []
    for kind, table in zip(kinds[0], model.embeddings, strict=True):
        if kind == "p":
            embedded.append(table.table.weight[-count:])
        elif kind == "d":
            days = [min(max(t // 86400 - dimensions.first_day, 0), dimensions.num_days - 1) for t in times]
            embedded.append(table.weight[days])
        else:
            embedded.append(table.weight.expand(count, -1))
    for block in model.blocks:
        layer = block.attention
        q, k, v = layer.query_key_value(block.attention_norm(x)).chunk(3, -1)
        heads = []
        for h in range(len(kinds[0]) + len(kinds[1])):
            part, scores = slice(h * depth, (h + 1) * depth), torch.zeros(count, count, dtype=torch.float64)
            for i in range(count):
                for j in range(count):
                    if h < len(kinds[0]):
                        query = q[i, part] + layer.absolute_query[h](embedded[h][i])
                        scores[i, j] = query @ (k[j, part] + layer.absolute_key[h](embedded[h][j]))
                    else:
                        n = h - len(kinds[0])
                        r = layer.relative_key[n](kernel(kinds[1][n], times[i] - times[j], WIDTH, 60.0, 100.0))
                        scores[i, j] = q[i, part] @ k[j, part] + (q[i, part] + layer.relative_bias[n]) @ r
            heads.append((scores / math.sqrt(depth)).softmax(1) @ v[:, part])
        x = x + layer.output(torch.cat(heads, 1))
        z = block.feed_forward_norm(x)
        x = x + block.feed_forward.down(F.gelu(block.feed_forward.up(z)))
    items = torch.tensor([[0, *ITEMS]])
    own = model.states(model.items(items), items > 0, torch.tensor([[0, *times]]))[0, 1:]
    # sinusoids are exact, the other kernels interpolated
    tolerance = 1e-3 if set(kinds[1]) & {"e", "l"} else 1e-9
    torch.testing.assert_close(own, model.norm(x), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["e", "l"])
@pytest.mark.parametrize("unit", [1.0, 86400.0])
def test_the_grid_of_a_kernel_is_fine_enough(kind: str, unit: float) -> None:
    grid = kernel_grid(kind, 8, unit, 10_000.0)
    place = torch.linspace(0, GRID - 1, 5001, dtype=torch.float64)
    below = place.floor().clamp_max(GRID - 2).long()
    interpolated = torch.lerp(grid[below], grid[below + 1], (place - below)[:, None])
    seconds = (place * math.log1p(2.0**31 / unit) / (GRID - 1)).expm1() * unit
    exact = torch.stack([kernel(kind, float(s), 8, unit, 10_000.0) for s in seconds])
    assert (interpolated - exact).abs().max() < 5e-5


def test_work_by_rows_has_the_same_values_gradients_and_draws() -> None:
    x = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    scale = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def work(rows: Tensor) -> Tensor:
        return (rows * scale).sin()

    gradients = torch.autograd.grad(work(x).square().sum(), (x, scale))
    chunked = torch.autograd.grad(by_rows(work, 2, x).square().sum(), (x, scale))
    for plain, by_chunk in zip(gradients, chunked, strict=True):
        torch.testing.assert_close(plain, by_chunk)
    dropped = by_rows(lambda rows: F.dropout(rows, 0.5), 2, x)
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    assert torch.equal(gradient != 0, dropped != 0)  # the same draws again


def test_marank_equals_its_formula() -> None:
    model: Any = make_model("marank", make_loader("pairwise", timed_split()), {})
    user, x = model.users.weight[2], model.context.weight[ITEMS]

    def attended(layer: Any, rows: Any, user: Tensor | None) -> Tensor:
        hidden = [layer.item(row) + (0 if user is None else layer.user(user)) for row in rows]
        weights = torch.stack([layer.score(h.tanh())[0].sigmoid() for h in hidden]).exp()
        return sum(w * row for w, row in zip(weights / weights.sum(), rows, strict=True))

    orders = [attended(model.attention[0], x, user) + x[-1]]
    of_order = user
    for number, (user_layer, item_layer) in enumerate(zip(model.user_layers, model.item_layers, strict=True), 1):
        of_order = F.relu(user_layer.linear(of_order) + of_order)
        x = torch.stack([F.relu(item_layer.linear(row) + row) for row in x])
        orders.append(attended(model.attention[number], x, of_order))
    joined = attended(model.join, orders, None)
    state = joined
    for layer in model.output:
        state = F.relu(layer.linear(state) + state)
    expected = (state + joined) @ model.context.weight.T + user @ model.lasting.weight.T
    scores = model.scores(Batch(users=torch.tensor([2]), items=torch.tensor([ITEMS])))[0]
    torch.testing.assert_close(scores, expected)


TIMED = [
    ("tisas", {}),
    ("hstu", {"use_time": True}),
    ("fuxi", {"use_time": True}),
    ("meantime", {"relative_kernel_types": "e-l"}),
]


@pytest.mark.parametrize(("code", "options"), TIMED)
def test_attention_by_rows_has_the_same_values_in_less_memory(
    code: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = make_loader({"meantime": "bert"}.get(code, "sas"), timed_split())
    model, batch = make_model(code, loader, options), next(loader.epoch(torch.Generator().manual_seed(0)))
    found, largest = [], []
    for entries in (10**9, 1):
        for module in (fuxi, hstu, temporal, tisas):
            monkeypatch.setattr(module, "ENTRIES", entries)
        model.zero_grad()
        with Attended() as seen:
            loss, _ = model.loss(batch, 0, torch.Generator())
            loss.backward()
        found.append([loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
        largest.append(seen.rows)
    assert largest == [len(batch.items), 1]
    for by_row, whole in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(by_row, whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("code", "options"), [("tisas", {"tisas_max_time_intervals": 20}), ("meantime", {}), ("hstu", {"use_time": True})]
)
def test_no_vector_exists_for_each_pair_of_items(code: str, options: dict[str, Any]) -> None:
    width, length = 64, 80
    split = timed_split([[1 + (7 * user + 3 * i) % NUM_ITEMS for i in range(length + 5)] for user in range(4)])
    loader = make_loader({"meantime": "bert"}.get(code, "sas"), split, max_len=length)
    model = make_model(code, loader, {**options, "hidden_units": width})
    batch = next(loader.epoch(torch.Generator().manual_seed(0)))
    with LargestResult() as seen:
        model.loss(batch, 0, torch.Generator())[0].backward()
    assert batch.items.shape == (4, length)
    assert seen.entries < 4 * length * length * width / 2


class Attended(TorchDispatchMode):
    """The rows of the largest attention weights [B, (heads,) T, T] that are computed in the block."""

    rows = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if "softmax" in str(func) or "silu" in str(func):
            shape = result.shape
            if len(shape) > 2 and shape[-1] == shape[-2]:
                self.rows = max(self.rows, shape[0])
        return result
