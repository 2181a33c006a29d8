"""Adam that updates only the rows of an item table that a batch touches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class RowwiseAdam(torch.optim.Adam):
    """Adam (or AdamW) for dense gradients, and a row-wise optimizer for tables with sparse gradients.

    The cost of a step grows with the rows that the batch touches, not with the catalogue. If every row is touched in
    every step, row-wise Adam gives the bits of Adam. Otherwise the two differ: a row that isn't touched keeps its
    moments and its weights, where Adam would decay the moments and move the weights on (`torch.optim.SparseAdam` is
    lazy in the same way).

    Parameters
    ----------
    parameters, lr, betas, weight_decay, decoupled_weight_decay
        As in `torch.optim.Adam`.
    adagrad : tables are updated by row-wise Adagrad instead, with one accumulator for each row:
        `s_i += mean(g_i ^ 2)`, `w_i -= lr * g_i / (sqrt(s_i) + eps)`
    """

    def __init__(self, parameters: list[nn.Parameter], *, adagrad: bool = False, **options: Any) -> None:
        super().__init__(parameters, fused=True, **options)
        self.adagrad = adagrad

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        tables = [
            (group, table, table.grad)
            for group in self.param_groups
            for table in group["params"]
            if table.grad is not None and table.grad.is_sparse
        ]
        for _, table, _ in tables:
            table.grad = None
        super().step()
        for group, table, gradient in tables:
            table.grad = gradient.coalesce()
            rows, values = table.grad.indices()[0], table.grad.values()
            (self._adagrad_rows if self.adagrad else self._adam_rows)(group, table, rows, values)

    def _adam_rows(self, group: dict[str, Any], table: nn.Parameter, rows: Tensor, gradient: Tensor) -> None:
        """Adam on `rows` int64 [n] of a table, with their gradient [n, H]."""
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=table.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(table), torch.zeros_like(table)
        stored = [table, state["exp_avg"], state["exp_avg_sq"]]
        taken = [tensor.index_select(0, rows) for tensor in stored]
        adam(
            [taken[0]],
            [gradient],
            [taken[1]],
            [taken[2]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
            decoupled_weight_decay=group["decoupled_weight_decay"],
        )
        for tensor, values in zip(stored, taken, strict=True):
            tensor.index_copy_(0, rows, values)

    def _adagrad_rows(self, group: dict[str, Any], table: nn.Parameter, rows: Tensor, gradient: Tensor) -> None:
        """Row-wise Adagrad on `rows` int64 [n] of a table, with their gradient [n, H]."""
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros(())  # torch expects one when it loads the state
            state["sum"] = torch.zeros(len(table), dtype=table.dtype, device=table.device)
        weights, rate = table.index_select(0, rows), group["lr"]
        if group["decoupled_weight_decay"]:
            weights *= 1 - rate * group["weight_decay"]
        elif group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * weights
        sums = state["sum"].index_select(0, rows) + gradient.square().mean(1)
        weights -= rate * gradient / (sums.sqrt() + group["eps"])[:, None]
        state["sum"].index_copy_(0, rows, sums)
        table.index_copy_(0, rows, weights)
