"""A trained run as a whole: its options from its own folder, its data, its model with the best weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from common.errors import UserError
from dataloaders import Dataloader
from models import Model
from options.arguments import COMMAND_LINE
from options.problems import Problems
from options.registries import load_registries
from options.request import Request
from options.resolve import resolve
from options.run_options import RunOptions
from options.templates import read_templates
from options.values import Given
from runs.build import check_needs, load_data, make_loader, make_model, make_split, prepare_machine, run_options
from runs.weights import read_weights
from trainers.checkpoint import BEST, load_model


@dataclass(frozen=True)
class TrainedRun:
    """request: the options that the run was trained with; weights: the file that the model's parameters come from."""

    request: Request
    loader: Dataloader
    model: Model
    device: torch.device
    weights: Path


def load_trained(request: Request, **changes: Any) -> TrainedRun:
    """The run whose folder (or weights file in it) `--pretrained_weights` names; nobody has to repeat its options.

    Options of the run as a whole that were given with the request (device, num_threads, ...) count more than its own,
    and `changes` (option -> value; None = no change) count most. Raises UserError if there is no such run, or if its
    data isn't what it was trained on.
    """
    name = run_options(request).pretrained_weights
    if name is None:
        raise UserError(f"mode {request.mode} needs a trained run: give its folder by --pretrained_weights")
    path = Path(name)
    if not path.exists():
        raise UserError(f"there is no run at {path}: give the folder of a trained run")
    folder, weights = (path, path / "models" / BEST) if path.is_dir() else (path.parent.parent, path)
    config = folder / "config.yaml"
    if not config.is_file():
        raise UserError(f"there is no run at {path} (no {config}): give the folder of a trained run")
    of_run = _options_of_run(request, config, changes)
    device = prepare_machine(of_run)
    data = load_data(of_run)
    check_needs(of_run, data)
    loader = make_loader(of_run, make_split(of_run, data))
    model, _ = make_model(of_run, loader, device)
    load_model(model, read_weights(str(weights), loader.split, measured=True), str(weights))
    return TrainedRun(of_run, loader, model.eval(), device, weights)


def _options_of_run(request: Request, config: Path, changes: dict[str, Any]) -> Request:
    """The run's options, for measuring it, with what the request changes. Raises OptionsError."""
    registries, problems = load_registries(), Problems()
    given = read_templates((str(config),), registries.templates, problems)
    asked = {
        key: request.values[key]
        for key in RunOptions.model_fields
        if not request.origins[key].startswith("default") and key != "mode"
    }
    asked |= {
        key: str(value) if isinstance(value, Path) else value for key, value in changes.items() if value is not None
    }
    given += [
        Given(key, value, request.origins.get(key, f"mode {request.mode}"), COMMAND_LINE)
        for key, value in asked.items()
    ]
    given.append(Given("mode", "test", f"mode {request.mode}", COMMAND_LINE))
    resolved = resolve(given, registries, problems, (str(config),))
    problems.raise_if_any()
    assert resolved is not None, "a request is missing only where a problem was noted"
    return resolved
