"""From a resolved request to the parts of a run, each built from its own options and nothing else."""

from __future__ import annotations

from typing import Any

import torch

import datasets
from common.errors import UserError
from common.schema import Options
from dataloaders import DATALOADERS, Dataloader
from datasets import SequenceData, Split
from evaluation.evaluator import Evaluator
from evaluation.options import EvaluationOptions
from models import MODELS, Dimensions, Model
from options.request import Request
from options.run_options import RunOptions
from trainers.device import choose_device, prepare_cpu, set_precision
from trainers.randomness import Generators


def run_options(request: Request) -> RunOptions:
    """The run section of a request."""
    section = request.sections["run"]
    assert isinstance(section, RunOptions)
    return section


def prepare_machine(request: Request) -> torch.device:
    """Set threads and precision as asked for; returns the device."""
    options = run_options(request)
    device = choose_device(options.device)
    prepare_cpu(options.num_threads)
    set_precision(options.precision, device)
    return device


def dataset_name(request: Request) -> str:
    """What the dataset is called in results."""
    options: Any = request.sections["dataset"]
    return datasets.name(run_options(request).dataset_code, options)


def load_data(request: Request) -> SequenceData:
    """The prepared dataset."""
    options: Any = request.sections["dataset"]
    return datasets.load(run_options(request).dataset_code, options)


def split_options(request: Request) -> Any:
    """The options of the split, in which a `split_seed` that is null has become the run's seed."""
    options: Any = request.sections["split"]
    if getattr(options, "split_seed", 0) is None:
        options = options.model_copy(update={"split_seed": run_options(request).seed})
    return options


def make_split(request: Request, data: SequenceData) -> Split:
    """The protocol's training, validation and test sets."""
    return datasets.split(data, run_options(request).split, split_options(request))


def make_loader(request: Request, split: Split) -> Dataloader:
    """The dataloader that the run chose, or its model's own."""
    options: Any = request.sections["dataloader"]
    model = model_class(request)
    loader = DATALOADERS[run_options(request).dataloader_code or model.dataloader_code](options, split)
    loader.gives_times &= "timestamps" in model.required(request.sections["model"])
    return loader


def make_evaluator(request: Request, loader: Dataloader) -> Evaluator:
    """The evaluation protocol over the loader's held-out sets."""
    options = request.sections["evaluation"]
    assert isinstance(options, EvaluationOptions)
    return Evaluator(loader, options)


def model_class(request: Request) -> type[Model]:
    """The class of the run's model."""
    code = run_options(request).model_code
    assert code is not None
    return MODELS[code]


def check_needs(request: Request, data: SequenceData) -> None:
    """Refuse a model that needs what the data lacks."""
    kind = model_class(request)
    needs = kind.required(request.sections["model"])
    lacking = sorted(need for need in needs if getattr(data, need) is None)
    if lacking:
        raise UserError(
            f"model {kind.code} needs {' and '.join(lacking)}, and dataset {data.name} has none: "
            "choose another model, or a dataset with them"
        )


def make_model(request: Request, loader: Dataloader, device: torch.device) -> tuple[Model, Generators]:
    """The model with its first parameters, on the device, and the run's generators (made before: they decide them)."""
    generators = Generators(run_options(request).seed, device)
    data, days = loader.data, loader.training_days()
    dimensions = Dimensions(
        data.num_items, data.num_users, loader.max_len, loader.pad_counts, loader.batches_per_epoch(), *days
    )
    options: Options = request.sections["model"]
    return model_class(request)(options, dimensions).to(device), generators
