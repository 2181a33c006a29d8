"""What V-SKNN and STAN share: the users whose recent histories resemble the input, and the items of these histories."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from common.ragged import concatenated_ranges
from common.schema import Options
from models.base import Dimensions, FittedModel, pick

if TYPE_CHECKING:
    from dataloaders.batch import Batch

CHUNK_ENTRIES = 1_000_000  # neighbours' items in memory at once, about


class SessionNeighbourOptions(Options):
    """Options of both models."""

    neighbours: int = Field(500, ge=1, description="most similar sessions whose items are recommended")
    sessions_per_user: int = Field(
        1, ge=1, description="a user's training history counts as this many sessions of max_len items, from its end"
    )
    use_time: bool = Field(False, description="prefer recent sessions (needs timestamps)")
    candidate_sessions: int = Field(
        5000, ge=1, description="with use_time: neighbours are sought among the newest sessions that share an item"
    )


@dataclass(frozen=True)
class Sessions:
    """The training sessions, ready to be looked up.

    Attributes
    ----------
    items : int64 [U, L], left-padded; an item that occurs twice is left at its last place only
    times : int64 [U], of the last item, seconds UTC; 0 without use_time
    sizes : float32 [U], number of distinct items
    by_item : float32 [V + 1, U], 1 where a session has an item
    """

    items: Tensor
    times: Tensor
    sizes: Tensor
    by_item: sparse.csr_matrix


@dataclass(frozen=True)
class Neighbours:
    """The K most similar sessions of B inputs.

    Attributes
    ----------
    similarity : [B, K]; 0 where fewer sessions share an item
    items : int64 [B, K, L], PAD where there is none
    found : int64 [B, K, L], the column of the input, counted from 1, that has a neighbour's item; 0 if none has
    length : columns of the input
    """

    similarity: Tensor
    items: Tensor
    found: Tensor
    length: int


class SessionNeighbours(FittedModel):
    """score(item) = sum over the nearest sessions that have it of similarity * weight."""

    dataloader_code = "plain"
    export_refusal = "it looks up the training sessions in a sparse matrix"
    options: SessionNeighbourOptions
    sessions: Tensor
    session_times: Tensor

    def __init__(self, options: Any, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        count, length = dimensions.num_users * options.sessions_per_user, max(1, dimensions.max_len)
        self.register_buffer("sessions", torch.zeros(count, length, dtype=torch.int32))
        self.register_buffer("session_times", torch.zeros(count, dtype=torch.int64))
        self._prepared: Sessions | None = None

    @classmethod
    def required(cls, options: Any) -> frozenset[str]:
        return frozenset({"timestamps"}) if options.use_time else frozenset()

    @classmethod
    def knows_request_time(cls, options: Any) -> bool:
        return bool(options.use_time)

    def fit(self, items: Tensor, offsets: Tensor, timestamps: Tensor | None = None) -> None:
        flat, offset = items.cpu().numpy(), offsets.cpu().numpy()
        length = self.sessions.shape[1]
        nth = np.arange(self.options.sessions_per_user)  # from the newest
        ends = np.maximum(offset[1:, None] - nth * length, offset[:-1, None]).ravel()  # user by user
        starts = np.maximum(ends - length, np.repeat(offset[:-1], len(nth)))
        sessions = np.zeros((len(ends), length), dtype=np.int32)
        sessions[np.arange(length) >= (length - (ends - starts))[:, None]] = flat[concatenated_ranges(starts, ends)]
        self.sessions.zero_()[: len(ends)] = torch.from_numpy(sessions * last_occurrences(sessions))
        self.session_times.zero_()
        if timestamps is not None and len(flat):
            last = torch.from_numpy(np.maximum(ends - 1, 0)).to(timestamps.device)  # of an empty session: anything
            self.session_times[: len(ends)] = timestamps[last]
        self._prepared = None

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._prepared = None

    def prepared(self) -> Sessions:
        """The sessions on the CPU, where sparse matrices are multiplied."""
        if self._prepared is None:
            filled = self.sessions[:, -1] > 0
            items, times = self.sessions[filled].cpu().long(), self.session_times[filled].cpu()
            rows, places = items.numpy().nonzero()
            entries = np.ones(len(rows), dtype=np.float32), (items.numpy()[rows, places], rows)
            by_item = sparse.csr_matrix(entries, shape=(self.dimensions.num_items + 1, len(items)))
            self._prepared = Sessions(items, times, (items > 0).sum(1).float(), by_item)
        return self._prepared

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        items = batch.items.cpu()
        requests = cast(Tensor, batch.request_times).cpu() if self.options.use_time else None
        rows = max(1, CHUNK_ENTRIES // (self.options.neighbours * self.sessions.shape[1]))
        parts = [
            self._scores(items[first : first + rows], None if requests is None else requests[first : first + rows])
            for first in range(0, len(items), rows)
        ]
        return pick(torch.cat(parts).to(batch.items.device), candidates)

    def _scores(self, items: Tensor, requests: Tensor | None) -> Tensor:
        """[B, V + 1] of inputs int64 [B, L], at times int64 [B]."""
        neighbours = self._nearest(items, requests)
        weights = self.weights(neighbours) * neighbours.similarity[:, :, None] * (neighbours.items > 0)  # [B, K, L]
        scores = torch.zeros(len(items), self.dimensions.num_items + 1)
        return scores.scatter_add_(1, neighbours.items.flatten(1), weights.flatten(1))

    def _nearest(self, items: Tensor, requests: Tensor | None) -> Neighbours:
        sessions, length = self.prepared(), items.shape[1]
        used = torch.from_numpy(last_occurrences(items.numpy()))
        weights = self.input_weights((items > 0).sum(1), length) * used  # [B, L]
        row, place = used.numpy().nonzero()
        entries = weights.numpy()[row, place], (row, items.numpy()[row, place])
        matrix = sparse.csr_matrix(entries, shape=(len(items), self.dimensions.num_items + 1))
        shared = torch.from_numpy((matrix @ sessions.by_item).toarray())  # [B, U], sums of the weights of common items
        similarity = self.similarity(shared, weights, sessions.sizes)
        if requests is not None:
            similarity = self._in_time(similarity, sessions.times, requests)
        similarity, nearest = similarity.topk(min(self.options.neighbours, similarity.shape[1]), dim=1)  # [B, K]
        found = torch.zeros(len(items), self.dimensions.num_items + 1, dtype=torch.int64)
        found.scatter_(1, items * used, (torch.arange(length) + 1).expand_as(items).contiguous())
        found[:, 0] = 0  # PAD
        theirs = sessions.items[nearest]  # [B, K, L]
        return Neighbours(similarity, theirs, found.gather(1, theirs.flatten(1)).view_as(theirs), length)

    def _in_time(self, similarity: Tensor, times: Tensor, requests: Tensor) -> Tensor:
        """[B, U], 0 for all but the newest sessions that share an item."""
        most = self.options.candidate_sessions
        if most < len(times):
            newest = times.argsort(descending=True, stable=True)
            number = (similarity[:, newest] > 0).cumsum(1)  # [B, U], counted from the newest
            similarity = similarity.scatter(1, newest.expand_as(similarity), similarity[:, newest] * (number <= most))
        ages = (requests[:, None] - times).abs()
        newest_age = ages.masked_fill(similarity <= 0, torch.iinfo(torch.int64).max).amin(1, keepdim=True)
        return similarity * self.time_weights((ages - newest_age).clamp_min(0))

    @abstractmethod
    def input_weights(self, lengths: Tensor, columns: int) -> Tensor:
        """Weights [B, columns] of the places of left-padded inputs with so many items; anything at padding."""

    @abstractmethod
    def similarity(self, shared: Tensor, weights: Tensor, sizes: Tensor) -> Tensor:
        """[B, U], from the summed weights of common items [B, U], the input's weights [B, L] and the sizes [U]."""

    def time_weights(self, ages: Tensor) -> Tensor:
        """Factor on the similarity of sessions that are so many seconds older than the newest one, int64 [B, U].

        Differences alone matter, and they keep old sessions from vanishing in float32.
        """
        return torch.ones(())

    @abstractmethod
    def weights(self, neighbours: Neighbours) -> Tensor:
        """What each item of the neighbours gets of their similarity: [B, K, L] or [B, K, 1]."""


def last_occurrences(items: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each entry of [N, L] is an item (not PAD) that doesn't occur in its row again."""
    flat = np.flatnonzero(items)[::-1]  # from the last
    keys = (flat // items.shape[1]) * (int(items.max(initial=0)) + 1) + items.reshape(-1)[flat]
    mask = np.zeros(items.size, dtype=bool)
    mask[flat[np.unique(keys, return_index=True)[1]]] = True
    return mask.reshape(items.shape)
