"""Item embeddings joined from a few shared vectors (RecJPQ, Petrov & Macdonald 2024): tables without a row per item."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from models.layers.embedding import ItemEmbedding
from models.layers.interactions import interaction_matrix

ITERATIONS = 10  # of the subspace iteration
SPARE_VECTORS = 10  # with which it converges faster


class CodedItemEmbedding(ItemEmbedding):
    """e_i = [C_1[c_i1], ..., C_m[c_im]]: an item is m codes, and each code has `centroids` vectors of width H / m.

    The logit of an item is a sum over its codes, sum_j <h_j, C_j[c_ij]> with h = [h_1, ..., h_m]: all products with the
    centroids are made once, and then looked up.

    Attributes
    ----------
    weight : [1 + m * centroids, H / m], the vectors C_1, C_2, ...; row 0 is 0, for PAD
    codes : uint8 [V + 1, m], see `svd_codes`
    """

    codes: Tensor
    firsts: Tensor

    def __init__(
        self,
        num_items: int,
        width: int,
        bias: bool,
        normalized: bool,
        temperature: float,
        splits: int,
        centroids: int,
    ) -> None:
        super().__init__(num_items, width, bias, normalized, temperature)
        self.weight = nn.Parameter(torch.empty(1 + splits * centroids, width // splits))
        self.register_buffer("codes", torch.zeros(num_items + 1, splits, dtype=torch.uint8))
        self.register_buffer("firsts", 1 + torch.arange(splits) * centroids, persistent=False)  # rows of code 0
        self.centroids = centroids

    def forward(self, items: Tensor) -> Tensor:
        """int64 [...] -> [..., H]"""
        places = self.codes[items].long() + self.firsts  # [..., m]
        places = places.masked_fill((items == 0)[..., None], 0)
        parts = F.embedding(places, self.weight, padding_idx=0, sparse=self.sparse)  # [..., m, H / m]
        return parts.flatten(-2)

    def rows(self) -> Tensor:
        joined: Tensor = self(torch.arange(len(self.codes), device=self.codes.device))
        return joined

    def logits(self, hidden: Tensor, candidates: Tensor | None = None) -> Tensor:
        if candidates is not None or self.normalized:
            return super().logits(hidden, candidates)
        splits = len(self.firsts)
        hidden = self.output_states(hidden).reshape(len(hidden), splits, -1)  # [B, H] -> [B, m, H / m]
        products = self.weight[1:].view(splits, self.centroids, -1) @ hidden.permute(1, 2, 0)  # [m, centroids, B]
        places = self.codes.int() + (self.firsts - 1).int()  # [V + 1, m]
        logits = F.embedding_bag(places, products.flatten(0, 1), mode="sum").T  # [B, V + 1]
        return logits if self.bias is None else logits + self.bias


def svd_codes(items: Tensor, offsets: Tensor, num_items: int, splits: int, centroids: int) -> Tensor:
    """Codes of the items, from a truncated SVD of the training matrix X = U S V': uint8 [V + 1, splits].

    The items are sorted by their values in a column of V, and cut into `centroids` equal parts: the number of an item's
    part is a code. There is a code for each of the `splits` largest singular values (RecJPQ, section 4.2). Ties, and
    codes beyond the rank of X, are drawn with a fixed seed.

    items, offsets : as `Model.read_training`
    """
    random = np.random.default_rng(0)
    matrix = interaction_matrix(items, offsets, num_items + 1)[:, 1:]
    factors = np.zeros((splits, num_items), dtype=np.float32)
    largest = _right_singular_vectors(matrix, splits, random)
    factors[: len(largest)] = largest
    codes = np.zeros((num_items + 1, splits), dtype=np.uint8)
    for column, values in enumerate(factors):
        order = np.lexsort((random.random(num_items), values))
        codes[1 + order, column] = np.arange(num_items) * centroids // num_items
    return torch.from_numpy(codes)


def _right_singular_vectors(matrix: sparse.csr_matrix, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Those of the largest singular values, [count, columns], or fewer rows if the matrix is smaller.

    By subspace iteration (Halko et al. 2011), which is exact enough here and always gives the same.
    """
    width = min(count + SPARE_VECTORS, *matrix.shape)
    basis = random.standard_normal((matrix.shape[1], width), dtype=np.float32)
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(matrix.T @ (matrix @ basis))[0]
    within: NDArray[np.float32] = np.linalg.svd(matrix @ basis, full_matrices=False)[2]
    return (within @ basis.T)[:count]
