"""Approximate search for the best items, with faiss: only the items near a user's vector are scored."""

from __future__ import annotations

import importlib
import logging
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from common.errors import UserError
from common.schema import Options
from runs.trained import TrainedRun

log = logging.getLogger(__name__)

CELLS_PER_ROOT = 2  # cells of an index, in square roots of the number of items
ITEMS_OF_A_CELL = 40  # from which its centre is computed: at least so many, and no more than needed
Items = NDArray[np.int64]
Scores = NDArray[np.float32]


class SearchOptions(Options):
    """How the best items are found."""

    search: Literal["exact", "approximate"] = Field(
        "exact",
        description="exact = score all items; approximate = only those in the cells of an index nearest to the user, "
        "for models whose scores are products with item vectors (needs requirements-search.txt)",
    )
    search_cells: int = Field(32, ge=1, description="cells that approximate search looks into: more = higher recall")


class ApproximateSearch:
    """An inverted file (IVF) over item vectors: k-means cells, of which those nearest to a user's vector are searched.

    The scores of the items found are exact (up to rounding); an item in a cell that isn't searched is missed.
    """

    def __init__(self, vectors: torch.Tensor, searched_cells: int, barred: torch.Tensor | None = None) -> None:
        """Build the index of item vectors [V + 1, D], without `barred` items (bool [V + 1]; None = all are in it).

        Raises UserError if faiss is missing.
        """
        faiss, began = _library(), time.perf_counter()
        kept = torch.ones(len(vectors), dtype=torch.bool) if barred is None else ~barred.cpu()
        kept[0] = False  # PAD
        numbers = torch.nonzero(kept)[:, 0].numpy()
        rows = np.ascontiguousarray(vectors.detach().float().cpu().numpy()[numbers])
        cells = max(1, min(int(CELLS_PER_ROOT * len(rows) ** 0.5), len(rows) // ITEMS_OF_A_CELL))
        faiss.omp_set_num_threads(torch.get_num_threads())
        self.index = faiss.index_factory(rows.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
        self.index.nprobe = min(searched_cells, cells)
        self.index.cp.max_points_per_centroid = ITEMS_OF_A_CELL
        self.index.train(rows)
        self.index.add_with_ids(rows, numbers)
        log.info(
            "approximate search: %s items in %s cells, of which %d are searched; built in %.1f s",
            *(f"{len(rows):,}", f"{cells:,}", self.index.nprobe, time.perf_counter() - began),
        )

    @classmethod
    def of(cls, run: TrainedRun, searched_cells: int, barred: torch.Tensor | None) -> ApproximateSearch:
        """The index of a run's items. Raises UserError if its scores are no products with item vectors."""
        model = run.experiment.model
        with torch.inference_mode():
            vectors = model.item_vectors()
        if vectors is None:
            raise UserError(
                f"the scores of model {model.code} are not products with item vectors, which approximate search needs: "
                "use --search exact"
            )
        return cls(vectors, searched_cells, barred)

    def write(self, path: Path) -> None:
        """Write the index to a file, for faiss."""
        _library().write_index(self.index, str(path))

    def nearest(self, vectors: torch.Tensor, count: int) -> tuple[Items, Scores]:
        """The best items of user vectors [B, D]: items [B, count], -1 where no more were found, and their scores."""
        scores, items = self.index.search(vectors.float().cpu().numpy(), count)
        return items, scores


def unseen(items: Items, scores: Scores, seen: NDArray[np.integer[Any]] | None, k: int) -> tuple[Items, Scores]:
    """The k best items [B, k] without those that a user has seen; PAD and -inf where there are fewer.

    items, scores : [B, N] with N >= k, best first; -1 = no item
    seen : [B, S], PAD = no item; None = nothing
    """
    usable = items > 0
    if seen is not None:
        size = int(max(items.max(initial=0), seen.max(initial=0))) + 1
        owner = np.arange(len(items))[:, None] * size
        usable &= ~np.isin(owner + items, (owner + seen)[seen > 0])
    first = np.argsort(~usable, axis=1, kind="stable")[:, :k]
    there = np.take_along_axis(usable, first, 1)
    items = np.where(there, np.take_along_axis(items, first, 1), 0)
    scores = np.where(there, np.take_along_axis(scores, first, 1), np.float32(-np.inf))
    order = np.lexsort((items, -scores))  # among equal scores, lower item numbers come first
    return np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)


def recall(found: Items, exact: Items) -> float:
    """The share of the exact lists [B, k] that the found ones [B, k] have."""
    size = int(max(found.max(initial=0), exact.max(initial=0))) + 1
    owner = np.arange(len(exact))[:, None] * size
    wanted = (owner + exact)[exact > 0]
    return float(np.isin(wanted, (owner + found)[found > 0]).mean()) if len(wanted) else 1.0


def _library() -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise UserError(f"approximate search needs faiss ({error}): pip install -r requirements-search.txt") from error
