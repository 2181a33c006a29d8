"""ALS: weighted matrix factorization of implicit feedback (Hu, Koren & Volinsky 2008), by the library `implicit`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from pydantic import Field
from threadpoolctl import threadpool_limits
from torch import Tensor

from common.errors import UserError
from common.schema import Options
from models.base import Dimensions, FittedModel, pick
from models.layers.interactions import interaction_matrix

if TYPE_CHECKING:
    from dataloaders.batch import Batch

CHUNK_CELLS = 32_000_000  # entries of the gathered factors in memory at once, about


class ALSOptions(Options):
    """Options of model `als`."""

    renamed: ClassVar[dict[str, str]] = {"factors": "hidden_units"}

    hidden_units: int = Field(64, ge=1, description="width of the user and item vectors")
    l2: float = Field(0.01, gt=0, description="the L2 penalty on the vectors")
    alpha: float = Field(1.0, gt=0, description="confidence in an interaction; a missing one has confidence 1")
    iterations: int = Field(15, ge=1, description="alternations between users and items")


class ALS(FittedModel):
    """min sum over users u, items i of c_ui (p_ui - x_u'y_i)^2 + l2 (|x|^2 + |y|^2); p = 1, c = alpha where u had i.

    A user is folded in by the half step of the same algorithm, whether it was trained on or not:
    x_u = (Y'Y + sum_i (c_ui - 1) y_i y_i' + l2 I)^-1 sum_i c_ui y_i over the items of its input.
    """

    code = "als"
    Options = ALSOptions
    dataloader_code = "bag"
    deterministic = False  # the first factors are drawn
    export_refusal = "it solves a linear system for each history, row by row"
    options: ALSOptions
    item_factors: Tensor

    def __init__(self, options: ALSOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.register_buffer("item_factors", torch.zeros(dimensions.num_items + 1, options.hidden_units))

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        options = self.options
        matrix = interaction_matrix(items, offsets, self.dimensions.num_items + 1)
        library = _library()
        with threadpool_limits(1, "blas"):  # implicit has its own threads, which BLAS threads slow down
            model = library.AlternatingLeastSquares(
                factors=options.hidden_units,
                regularization=options.l2,
                alpha=options.alpha,
                iterations=options.iterations,
                use_gpu=False,
                num_threads=torch.get_num_threads(),
                random_state=int(torch.randint(2**31, ())),  # torch's global generator is seeded by the run
            )
            model.fit(matrix, show_progress=False)
        self.item_factors.copy_(torch.from_numpy(model.item_factors))

    def fold_in(self, items: Tensor, weights: Tensor) -> Tensor:
        """The vectors of users with these items: [B, L], [B, L] -> [B, K]."""
        y, options = self.item_factors, self.options
        common = y.T @ y + options.l2 * torch.eye(options.hidden_units, device=y.device)
        rows = max(1, CHUNK_CELLS // (items.shape[1] * options.hidden_units))
        vectors = []
        for first in range(0, len(items), rows):
            own = y[items[first : first + rows]]  # [n, L, K]
            used = weights[first : first + rows, :, None]  # [n, L, 1]
            confidence = options.alpha * used
            left = common + own.transpose(1, 2) @ (own * (confidence - 1) * (used > 0))  # [n, K, K]
            vectors.append(torch.linalg.solve(left, (own * confidence).sum(1)))
        return torch.cat(vectors)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return pick(self.user_vectors(batch) @ self.item_factors.T, candidates)

    def item_vectors(self) -> Tensor:
        return self.item_factors

    def user_vectors(self, batch: Batch) -> Tensor:
        return self.fold_in(batch.items, cast(Tensor, batch.weights))


def _library() -> Any:
    try:
        return importlib.import_module("implicit.als")
    except ImportError as error:
        raise UserError(f"model als needs the library implicit ({error}): pip install implicit") from error
