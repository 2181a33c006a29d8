"""Start a run from the weights of one on other data: each item and user keeps its rows, found by its original id."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.errors import UserError
from datasets import Split
from models import Model
from models.layers.item_features import FeatureSum
from runs.experiment import Experiment, load_split
from runs.id_files import places_of
from runs.trained import config_of_run
from runs.weights import open_weights, weights_of
from trainers.checkpoint import check_fits, check_provenance, load_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moved:
    """Where the rows of the items (or users) of a run were in an earlier one.

    Attributes
    ----------
    places : int64 [count], 0-based; -1 = new
    before : how many there were
    """

    places: NDArray[np.int64]
    before: int

    def rows(self, count: int) -> tuple[Tensor, int]:
        """For a table of `count` rows now: int64 [count], the former row of each (-1 = new), and how many there were.

        A table with more rows than items has PAD in row 0 and other special rows at the end; they are kept.
        """
        special = count - len(self.places)
        if special == 0:
            return torch.from_numpy(self.places), self.before
        places = np.where(self.places < 0, -1, self.places + 1)
        last = self.before + 1 + np.arange(special - 1)
        return torch.from_numpy(np.concatenate(([0], places, last))), self.before + special


def load_pretrained(experiment: Experiment, name: str) -> None:
    """Load weights to start training from: a run's folder, or a file of weights.

    If they are from a run on other data, each item and user that was there has its rows again, by its original id; new
    ones have the first values of an untrained model.

    Raises
    ------
    UserError
        There are no such weights, they don't fit the model, or they were trained on held-out interactions.
    """
    checkpoint, split, model = open_weights(name), experiment.loader.split, experiment.model
    check_provenance(checkpoint.state, split, str(checkpoint.path))
    weights = weights_of(checkpoint)
    if checkpoint.state.get("data_hash", split.data.hash) == split.data.hash:
        load_model(model, weights, name)
        return
    before = _split_before(checkpoint.path, checkpoint.state.get("data_hash"))
    if before is None:
        log.warning(
            "%s was trained on other data than %s: its item numbers may mean other items", name, split.data.name
        )
        load_model(model, weights, name)
        return
    if model.warm_start_refusal is not None:
        raise UserError(
            f"model {model.code} can't start from {name}, which was trained on other data: {model.warm_start_refusal}"
        )
    _check_heldout(split, before, name)
    items = Moved(places_of(split.data.item_ids, before.data.item_ids), before.data.num_items)
    users = Moved(places_of(split.data.user_ids, before.data.user_ids), before.data.num_users)
    load_model(model, moved_weights(model, weights, items, users, name), name)
    kept = int((items.places >= 0).sum())
    log.info(
        "training starts from %s: %d items keep their rows, %d are new, %d are gone",
        *(name, kept, len(items.places) - kept, items.before - kept),
    )


def _split_before(weights: Path | None, data_hash: object) -> Split | None:
    """The split of the run that the weights are from; None if they aren't in a run's folder."""
    config_file = None if weights is None else weights.parent.parent / "config.yaml"
    if config_file is None or not config_file.is_file():
        return None
    try:
        split = load_split(config_of_run(config_file))
    except UserError as error:
        raise UserError(f"{weights} was trained on other data, so its own data is needed as well: {error}") from error
    if split.data.hash != data_hash:
        raise UserError(
            f"{weights} was trained on other data than that of {config_file} is now: it is unknown which items it knows"
        )
    return split


def _check_heldout(split: Split, before: Split, name: str) -> None:
    """Raise UserError if held-out interactions of `split` were training interactions of `before`.

    Interactions are the same if user, item and second are. Data with repeats but without times can't be checked.
    """
    data, old = split.data, before.data
    heldout = [(rows.users, rows.targets, rows.target_offsets) for rows in (split.validation, split.test)]
    users = np.concatenate([np.repeat(users, np.diff(offsets)) for users, _, offsets in heldout])
    targets = np.concatenate([targets for _, targets, _ in heldout])
    timed = data.timestamps is not None and old.timestamps is not None
    if len(targets) == 0:
        return
    if not timed and data.repeat_consumption:
        log.warning("%s may have been trained on held-out interactions: without times, that can't be checked", name)
        return
    here = pd.DataFrame({"pair": users * data.num_items + data.items[targets] - 1})
    positions, offsets = before.training_positions()
    user = np.repeat(places_of(old.user_ids, data.user_ids), np.diff(offsets))
    item = places_of(old.item_ids, data.item_ids)[old.items[positions] - 1]
    pairs = np.where((user < 0) | (item < 0), -1, user * data.num_items + item)
    met = np.isin(pairs, here["pair"])
    there = pd.DataFrame({"pair": pairs[met]})
    if data.timestamps is not None and old.timestamps is not None:
        here["time"], there["time"] = data.timestamps[targets], old.timestamps[positions[met]]
    count = len(here.merge(there.drop_duplicates()))
    if count:
        raise UserError(
            f"{name} was trained on {count:,} of the {len(here):,} held-out interactions, so its metrics would be too "
            "good: use the split of that run, or --train_on all, which evaluates nothing"
        )


def moved_weights(
    model: Model, weights: Mapping[str, Tensor], items: Moved, users: Moved, source: str
) -> dict[str, Tensor]:
    """The weights of an earlier model, with the rows where this model has them; rows of new items from the model.

    Which dimensions of a parameter count items or users shows in a model of one more item, or user.
    """
    own = model.state_dict()
    grown = [
        {name: tensor.shape for name, tensor in _with_one_more(model, kind).items()}
        for kind in ("num_items", "num_users")
    ]
    features = {
        f"{prefix}.{name}"
        for prefix, part in model.named_modules()
        if isinstance(part, FeatureSum)
        for name, _ in part.named_buffers()
    }
    moved = {name: tensor for name, tensor in weights.items() if name not in features}
    moved |= {name: own[name] for name in features}
    for name in own.keys() & weights.keys() - features:
        new, old = own[name], weights[name]
        known = torch.ones([1] * new.dim(), dtype=torch.bool)
        for axis, count in enumerate(new.shape):
            who = next(
                (who for who, shapes in zip((items, users), grown, strict=True) if shapes[name][axis] > count), None
            )
            if who is None:
                continue
            places, before = who.rows(count)
            if axis >= old.dim() or old.shape[axis] != before:
                break  # of other options, which `check_fits` reports
            old = old.index_select(axis, places.clamp(min=0))
            known = known & (places >= 0).view([-1 if other == axis else 1 for other in range(new.dim())])
        fits = old.shape == new.shape and old.dtype == new.dtype
        moved[name] = torch.where(known, old, new.cpu()) if fits else weights[name]
    check_fits(model, moved, source)
    return moved


def _with_one_more(model: Model, kind: str) -> dict[str, Tensor]:
    """The state of such a model with one more item or user, without values."""
    more = replace(model.dimensions, **{kind: getattr(model.dimensions, kind) + 1})
    with torch.device("meta"):
        return type(model)(model.options, more).state_dict()
