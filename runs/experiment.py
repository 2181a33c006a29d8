"""One way to build an experiment: data, split, dataloader, evaluator and model from one configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

import datasets
from common.errors import UserError
from common.files import expanded
from dataloaders import Dataloader
from datasets import SequenceData, Split
from datasets.splits.leakage import check_leakage
from evaluation.evaluator import Evaluator
from models import Dimensions, Model
from models.layers.item_features import ItemFeatures
from runs.config import ExperimentConfig
from runs.item_features import read_item_features
from runs.memory import check_memory
from runs.run_options import RunOptions
from runs.train_on_all import without_heldout
from trainers.device import choose_device, prepare_cpu, set_precision
from trainers.randomness import Generators


def prepare_device(options: RunOptions) -> torch.device:
    """Set the process's threads and precision, and choose the device."""
    device = choose_device(options.device)
    prepare_cpu(options.num_threads)
    set_precision(options.precision, device)
    return device


def load_split(config: ExperimentConfig) -> Split:
    """Prepare the data and split it.

    Raises
    ------
    UserError
        The data is missing or unusable, or the split leaks held-out interactions.
    """
    data = datasets.load(config.run.dataset_code, config.dataset)
    split = datasets.split(data, config.run.split, config.split_options)
    if config.trainer.train_on == "all":
        return without_heldout(data, split)
    leaks = check_leakage(split)
    if leaks:
        raise UserError(
            f"split {split.code} of {data.name} leaks held-out interactions: {'; '.join(leaks)}. This is a "
            "bug in the split; please report it"
        )
    return split


def make_loader(config: ExperimentConfig, split: Split) -> Dataloader:
    """The dataloader over a split."""
    loader = config.loader_class(config.dataloader, split)
    loader.gives_times &= "timestamps" in config.model_class.required(config.model)
    return loader


def check_needs(config: ExperimentConfig, data: SequenceData) -> None:
    """Raise UserError if the data lacks what the model needs."""
    model = config.model_class
    lacking = sorted(need for need in model.required(config.model) if getattr(data, need) is None)
    if lacking:
        raise UserError(
            f"model {model.code} needs {' and '.join(lacking)}, and dataset {data.name} has none: "
            "choose another model, or a dataset with them"
        )


@dataclass(frozen=True)
class Experiment:
    """Everything that training or evaluating one configuration needs.

    Attributes
    ----------
    config : the configuration that it was built from
    device : the device of the model
    loader : the dataloader; `loader.split` is the split and `loader.data` the data
    evaluator : evaluates models on the held-out sets of the split
    model : the model with its initial parameters, on the device
    generators : the run's random generators
    """

    config: ExperimentConfig
    device: torch.device
    loader: Dataloader
    evaluator: Evaluator
    model: Model
    generators: Generators

    @classmethod
    def build(cls, config: ExperimentConfig) -> Experiment:
        """Prepare the data, split it, and build the dataloader, the evaluator and the model.

        Raises
        ------
        UserError
            As `load_split`; or the data lacks what the model needs, or can't be used with these options, or the run
            needs more memory than there is.
        """
        device = prepare_device(config.run)
        split = load_split(config)
        check_needs(config, split.data)
        loader = make_loader(config, split)
        evaluator = Evaluator(loader, config.evaluation)
        data = loader.data
        dimensions = Dimensions(
            data.num_items,
            data.num_users,
            loader.max_len,
            loader.pad_counts,
            loader.batches_per_epoch(),
            *loader.training_days(),
            num_interactions=int((split.train_end - split.train_start).sum()),
            item_features=_item_features(config, loader),
        )
        check_memory(config, dimensions, device)
        generators = Generators(config.run.seed, device)  # seeds the initial parameters
        model = config.model_class(config.model, dimensions).to(device)
        if model.reads_training:
            positions, offsets = split.training_positions()
            items = torch.from_numpy(data.items[positions].astype(np.int64)).to(device)
            model.read_training(items, torch.from_numpy(offsets).to(device))
        return cls(config, device, loader, evaluator, model, generators)


def _item_features(config: ExperimentConfig, loader: Dataloader) -> ItemFeatures | None:
    """The features that the model's options name a file of."""
    for option in ("item_features", "item_embeddings"):
        path = getattr(config.model, option, None)
        if path is not None:
            return read_item_features(expanded(path), loader.data, loader.training_item_counts())
    return None
