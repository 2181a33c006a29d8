"""Semantic ids: short codes of items from residual k-means over their vectors, and the trie of all ids."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.errors import UserError

ITERATIONS = 30  # of k-means
Int = NDArray[np.int64]


def semantic_ids(vectors: NDArray[np.float32], levels: int, codebook_size: int, seed: int) -> Int:
    """The ids of items 1..V: int64 [V + 1, levels + 1], each unique; row 0 (PAD) is 0.

    A code is the number of the nearest of `codebook_size` centroids: of the vectors at the first level, of what the
    centroids before leave of them at the others. The last code numbers the items whose other codes are the same
    (Rajput et al. 2023, section 3.1; k-means instead of their RQ-VAE).

    vectors : [V + 1, H], divided by their norms here; an item without one (all 0) gets codes drawn at random
    seed : of the first centroids and of the random codes

    Raises UserError if more than `codebook_size` items have the same codes.
    """
    random = np.random.default_rng(seed)
    norms = np.linalg.norm(vectors, axis=1)
    known = np.flatnonzero(norms > 0)
    codes = random.integers(0, codebook_size, (len(vectors), levels + 1))
    codes[known, :levels] = residual_kmeans(vectors[known] / norms[known, None], levels, codebook_size, random)
    codes[1:, levels] = _numbers_among_equals(codes[1:, :levels])
    codes[0] = 0
    most = int(codes[:, levels].max()) + 1
    if most > codebook_size:
        raise UserError(
            f"{most} items have the same semantic codes, and the last code can only tell {codebook_size} apart: "
            "increase codebook_size or code_levels, or give item_embeddings that tell items apart"
        )
    return codes


def residual_kmeans(vectors: NDArray[np.float32], levels: int, codebook_size: int, random: np.random.Generator) -> Int:
    """Codes int64 [n, levels] of vectors [n, H]: k-means, then k-means of what its centroids leave, and so on.

    Fewer distinct vectors than `codebook_size` have a centroid each.
    """
    from scipy.cluster.vq import kmeans2  # noqa: PLC0415  (slow to import, and all commands import this module)

    codes = np.zeros((len(vectors), levels), dtype=np.int64)
    left = vectors.astype(np.float64)
    for level in range(levels):
        distinct = np.unique(left, axis=0)
        if len(distinct) <= codebook_size:
            centroids, codes[:, level] = np.unique(left, axis=0, return_inverse=True)
        else:
            first = distinct[random.permutation(len(distinct))[:codebook_size]]
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="One of the clusters is empty")
                centroids, codes[:, level] = kmeans2(left, first, iter=ITERATIONS, minit="matrix")
        left = left - centroids[codes[:, level]]
    return codes


def _numbers_among_equals(codes: Int) -> Int:
    """The place of each row among the rows that equal it: int64 [n], from 0."""
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    starts = np.cumsum(counts) - counts
    places = np.empty(len(codes), dtype=np.int64)
    places[order] = np.arange(len(codes)) - starts[group[order]]
    return places


@dataclass(frozen=True)
class Trie:
    """The prefixes of all ids. A node of level l is a prefix of l + 1 codes, numbered in lexicographic order; the
    root, the only one of level -1, is 0.

    Attributes
    ----------
    children : at each level l, the nodes of level l under each node of level l - 1: int64 [nodes, most], -1 = none
    codes : at each level, the last code of each node: int64 [nodes]
    items : the item of each node of the last level: int64 [V]
    """

    children: list[Tensor]
    codes: list[Tensor]
    items: Tensor

    @classmethod
    def of(cls, ids: Tensor) -> Trie:
        """The trie of unique ids int64 [V + 1, levels], whose row 0 is none."""
        table = ids[1:].cpu().numpy()
        order = np.lexsort(table.T[::-1])
        table = table[order]
        differs = np.cumsum(table[1:] != table[:-1], axis=1) > 0  # [V - 1, levels], from the row before, up to a level
        above = np.zeros(len(table), dtype=np.int64)  # each row's node of the level before
        children, codes = [], []
        for level in range(table.shape[1]):
            new = np.concatenate([[True], differs[:, level]])
            nodes = np.cumsum(new) - 1
            parents = above[new]
            eldest = np.searchsorted(parents, np.arange(above[-1] + 1))  # each parent's first child
            rank = np.arange(len(parents)) - eldest[parents]
            under = np.full((int(above[-1]) + 1, int(rank.max()) + 1), -1, dtype=np.int64)
            under[parents, rank] = np.arange(len(parents))
            children.append(torch.from_numpy(under).to(ids.device))
            codes.append(torch.from_numpy(table[new, level]).to(ids.device))
            above = nodes
        return cls(children, codes, torch.from_numpy(order + 1).to(ids.device))
