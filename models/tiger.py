"""TIGER (Rajput et al. 2023): generates the codes of the next item's semantic id, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from common.errors import UserError
from common.files import expanded
from common.schema import Options
from models.als import ALS, ALSOptions
from models.base import Dimensions, Model, pick
from models.layers.attention import BlockForm, Transformer, open_keys
from models.layers.decoder import Decoder, take_beams
from models.layers.dropout import Dropout
from models.layers.embedding import PositionEmbedding, init_parameters
from models.layers.padding import align_left, at_last
from models.layers.semantic_ids import Trie, semantic_ids

if TYPE_CHECKING:
    from dataloaders.batch import Batch

ALPHA, L2 = 40.0, 10.0  # of ALS: consecutive items of Beauty have the same first code twice as often as with 1 and .01
ENTRIES = 16_000_000  # numbers that a search has in memory at once, about


class TigerOptions(Options):
    """Options of model `tiger`."""

    item_embeddings: Path | None = Field(
        None,
        description="a .csv, .tsv or .parquet file of items' vectors (say, of their texts), from which the ids "
        "are made: a column of item ids; real numbers and lists. null = the item factors of model als",
    )
    embedding_size: int = Field(64, ge=1, description="width of the item factors, without item_embeddings")
    code_levels: int = Field(3, ge=1, description="codes of an item, without the last one, which makes ids unique")
    codebook_size: int = Field(256, ge=2, description="values that each code can have")
    hidden_units: int = Field(64, ge=1, description="width of the code embeddings and hidden states")
    num_blocks: int = Field(2, ge=1, description="blocks of the encoder, and as many of the decoder")
    num_heads: int = Field(4, ge=1, description="attention heads; they divide hidden_units")
    inner_factor: int = Field(4, ge=1, description="width of the feed-forward layers, in hidden_units")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of embeddings and of each layer's output")
    history_tokens: Literal["codes", "items"] = Field(
        "codes",
        description="what the encoder reads: each code of an item (as published), or the sum of the embeddings of its "
        "codes, which is several times faster",
    )
    user_tokens: int = Field(
        0,
        ge=0,
        description="tell the decoder the user's number modulo this (2000 in the paper); 0 = nothing of the user",
    )
    beam_size: int = Field(
        50,
        ge=0,
        description="items that the search finds: the others all tie behind them, so metrics and lists end at this "
        "length; 0 = all items, exactly (only for small catalogues)",
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> TigerOptions:
        if self.hidden_units % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide hidden_units ({self.hidden_units})")
        return self

    @field_validator("item_embeddings")
    @classmethod
    def _embeddings_are_there(cls, path: Path | None) -> Path | None:
        if path is not None and not expanded(path).is_file():
            raise ValueError("there is no such file")
        return path


class Tiger(Model):
    """p(c_1 .. c_D | history) = product over levels d of softmax(E_d h_d)[c_d], with h_d the state of a decoder that
    has read c_1 .. c_(d-1), and attends to an encoder's states of the history.

    The encoder is causal, so that one pass over a window serves all its targets; the decoder starts from the state of
    the last item. The codes are computed before training (`semantic_ids`) and are part of the weights.
    """

    code = "tiger"
    Options = TigerOptions
    dataloader_code = "sas"
    cpu_positions = 2048  # each of several codes
    reads_training = True
    warm_start_refusal = "its ids are computed again, and new items may get ids that old ones have"
    export_refusal = "it finds items by a beam search over the tree of their ids"
    options: TigerOptions
    codes: Tensor

    def __init__(self, options: TigerOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        width, self.digits = options.hidden_units, options.code_levels + 1
        self.states_per_item = self.digits if options.history_tokens == "codes" else 1
        form = BlockForm(width, options.num_heads, options.inner_factor * width, options.dropout, 0.0)
        self.register_buffer("codes", torch.zeros(dimensions.num_items + 1, self.digits, dtype=torch.int64))
        self.tokens = nn.Embedding(self.digits * options.codebook_size, width)  # one table per digit
        self.positions = PositionEmbedding(dimensions.max_len, width)
        self.steps = nn.Embedding(self.digits, width)
        self.users = nn.Embedding(options.user_tokens, width) if options.user_tokens else None
        self.dropout = Dropout(options.dropout)
        self.encoder = Transformer(options.num_blocks, form)
        self.decoder = Decoder(options.num_blocks, form)
        self._trie: tuple[int, Trie] | None = None
        init_parameters(self, linear_spread=0.5 * width**-0.5)

    @classmethod
    def conflict(cls, sections: Mapping[str, Any]) -> str | None:
        if getattr(sections.get("dataloader"), "train_negative_sample_size", 0):
            return "model tiger uses no negatives: set train_negative_sample_size to 0"
        found, asked = sections["model"].beam_size, max(getattr(sections.get("evaluation"), "metric_ks", ()), default=0)
        if 0 < found < asked:
            return f"a search of beam_size {found} finds {found} items, too few for metrics at {asked} (metric_ks)"
        return super().conflict(sections)

    def read_training(self, items: Tensor, offsets: Tensor) -> None:
        """Compute the items' semantic ids. Their draws are of torch's generator, which the run has seeded."""
        options, features = self.options, self.dimensions.item_features
        if features is None:
            als = ALS(ALSOptions(hidden_units=options.embedding_size, alpha=ALPHA, l2=L2), self.dimensions)
            als.fit(items, offsets)
            vectors = als.item_factors
        else:
            vectors = features.vectors
            if not vectors.shape[1]:
                raise UserError(f"{options.item_embeddings} has no vectors: give columns of real numbers, or of lists")
        ids = semantic_ids(
            vectors.cpu().numpy(), options.code_levels, options.codebook_size, int(torch.randint(2**31, ()))
        )
        self.codes.copy_(torch.from_numpy(ids))

    @property
    def trie(self) -> Trie:
        """The trie of the items' ids."""
        if self._trie is None or self._trie[0] != self.codes._version:
            self._trie = self.codes._version, Trie.of(self.codes)
        return self._trie[1]

    def encode(self, items: Tensor, lengths: Tensor) -> Tensor:
        """States of left-aligned items int64 [B, T]: [B, T * states_per_item, H]."""
        first = torch.arange(self.digits, device=items.device) * self.options.codebook_size
        embedded = self.tokens(self.codes[items] + first) * self.options.hidden_units**0.5  # [B, T, D, H]
        if self.states_per_item == 1:
            embedded = embedded.sum(2, keepdim=True)  # [B, T, 1, H]
        places = self.positions.left_aligned(items.shape[1], lengths, "start")[:, :, None]  # [B, T, 1, H]
        known = (embedded + places) * (items > 0)[:, :, None, None]
        hidden: Tensor = self.encoder(self.dropout(known.flatten(1, 2)), causal=True)
        return hidden

    def first_inputs(self, states: Tensor, users: Tensor) -> Tensor:
        """What the decoder reads first, given the states [B, Q, H] of the last items: [B, Q, H]."""
        inputs = states + self.steps.weight[0]
        if self.users is not None:
            inputs = inputs + self.users(users % self.options.user_tokens)[:, None]
        return inputs

    def next_inputs(self, step: int, codes: Tensor) -> Tensor:
        """What the decoder reads at a later step, the code before it: int64 [B, Q] -> [B, Q, H]."""
        embedded = self.tokens(codes + (step - 1) * self.options.codebook_size) * self.options.hidden_units**0.5
        inputs: Tensor = embedded + self.steps.weight[step]
        return inputs

    def log_probabilities(self, hidden: Tensor, step: int) -> Tensor:
        """Of all codes of a step, after hidden [..., H]: [..., codebook_size]."""
        size = self.options.codebook_size
        return F.log_softmax(hidden @ self.tokens.weight[step * size : (step + 1) * size].T, -1)

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """-log p of the targets' ids, averaged over the positions with a target."""
        assert batch.targets is not None
        order, lengths = align_left(batch.items)
        items, targets = batch.items.gather(1, order), batch.targets.gather(1, order)  # [B, T]
        states, codes = self.encode(items, lengths), self.codes[targets]  # [B, S, H], [B, T, D]
        last = states[:, self.states_per_item - 1 :: self.states_per_item]  # of each item: [B, T, H]
        following = [self.next_inputs(d, codes[:, :, d - 1]) for d in range(1, self.digits)]
        inputs = self.dropout(torch.stack([self.first_inputs(last, batch.users), *following], 2))  # [B, T, D, H]
        place = torch.arange(targets.shape[1], device=items.device)
        of_targets, of_states = place.repeat_interleave(self.digits), place.repeat_interleave(self.states_per_item)
        hidden, _ = self.decoder(inputs, self.decoder.keys_values(states), of_targets[:, None] >= of_states)
        real = targets > 0
        hidden, codes = hidden[real], codes[real]  # [N, D, H], [N, D]
        losses = [
            F.nll_loss(self.log_probabilities(hidden[:, d], d), codes[:, d], reduction="sum")
            for d in range(self.digits)
        ]
        return torch.stack(losses).sum() / len(codes), {}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """log p of the items that the beam search finds; one less than their least of all others."""
        width, options = self.options.beam_size or self.dimensions.num_items, self.options
        numbers = min(width, self.dimensions.num_items) * (options.codebook_size + 8 * options.hidden_units)
        rows = max(1, ENTRIES // numbers)
        parts = []
        for first in range(0, len(batch.users), rows):
            part = slice(first, first + rows)
            items, found = self.search(batch.items[part], batch.users[part], width)
            least = found.masked_fill(found.isneginf(), torch.inf).min(1, keepdim=True).values
            others = (least - 1).expand(-1, self.dimensions.num_items + 1)
            parts.append(others.scatter_reduce(1, items, found, "amax"))
        return pick(torch.cat(parts), candidates)

    def search(self, items: Tensor, users: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """The items that a beam search of this width finds after items int64 [B, L], and their log p: [B, W] each.

        W <= width; log p is -inf where it found fewer items than W. Only ids of items are searched.
        """
        order, lengths = align_left(items)
        items = items.gather(1, order)
        encoded = self.encode(items, lengths)
        states = self.decoder.keys_values(encoded)
        mask = open_keys(items > 0).repeat_interleave(self.states_per_item, 1)[:, None, None]  # [B, 1, 1, S]
        nodes = torch.zeros(len(items), 1, dtype=torch.int64, device=items.device)  # [B, W], of the trie
        total = torch.zeros(len(items), 1, device=items.device)  # [B, W], log p of the codes so far
        inputs, past = self.first_inputs(at_last(encoded, lengths * self.states_per_item), users), None
        for digit in range(self.digits):
            hidden, kept = self.decoder(inputs[:, :, None], states, mask, past)  # [B, W, 1, H]
            children = self.trie.children[digit][nodes]  # [B, W, C]
            codes = self.trie.codes[digit][children]  # that of the last node where there is no child
            found = total[:, :, None] + self.log_probabilities(hidden.squeeze(2), digit).gather(2, codes)
            found = found.masked_fill(children < 0, -torch.inf).flatten(1)  # [B, W * C]
            most = min(width, found.shape[1], len(self.trie.codes[digit]))
            total, chosen = found.topk(most)
            nodes = children.flatten(1).gather(1, chosen).clamp_min(0)
            if digit + 1 < self.digits:
                past = take_beams(kept, chosen // children.shape[2])
                inputs = self.next_inputs(digit + 1, codes.flatten(1).gather(1, chosen))
        return self.trie.items[nodes], total
