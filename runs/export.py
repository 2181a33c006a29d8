"""Writes a trained model as a file that other programs can run, with the ids and a serving script."""

from __future__ import annotations

import importlib
import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from common.errors import UserError
from common.files import atomic_folder, write_text
from common.json_files import read_json
from common.version import code_version
from options import Resolved
from runs.approximate import ApproximateSearch, SearchOptions
from runs.run_options import RunOptions
from runs.serving.formats import trace, write_onnx, write_torch
from runs.serving.graph import Served, served
from runs.serving.trials import TOLERANCE, Inputs, Trials
from runs.trained import TrainedRun, load_run
from runs.trained_options import MovedFiles, execution_options

Format = Literal["torch_export", "onnx"]
WRITERS = {"torch_export": write_torch, "onnx": write_onnx}
FILES = {"torch_export": "model.pt2", "onnx": "model.onnx"}
SERVE = {"torch_export": "serve_torch.py", "onnx": "serve_onnx.py"}
INDEX = "items.faiss"
OUTPUT = "scores"
SCHEMA = 1


class ExportOptions(SearchOptions, MovedFiles):
    """Options of command export."""

    output: Path = Field(description="the folder to write")
    export_format: Format = Field(
        "torch_export", description="torch_export: .pt2, run by torch; onnx: run by ONNX Runtime and others"
    )


@dataclass(frozen=True)
class Exported:
    """What was written. `difference`: the largest relative difference from the trained model's scores."""

    label: str
    folder: Path
    length: str
    difference: float


def export(resolved: Resolved) -> Exported:
    """Write the exported model. Raises UserError, and writes nothing, if the model can't be exported."""
    options, run_options = resolved.section("export", ExportOptions), resolved.section("run", RunOptions)
    _check_output(options.output, run_options.overwrite)
    if options.export_format == "onnx":
        _need_onnx()
    run = load_run(
        str(run_options.pretrained_weights),
        execution_options(resolved),
        device="cpu",
        precision="fp32",
        **options.moved(),
    )
    refusal = run.experiment.model.onnx_refusal
    if options.export_format == "onnx" and refusal is not None:
        raise UserError(
            f"model {run.experiment.model.code} can't be exported to onnx: {refusal}. Use --export_format torch_export"
        )
    search = ApproximateSearch.of(run, options.search_cells, None) if options.search == "approximate" else None
    graph = served(run.experiment.model, run.experiment.loader, vectors=search is not None).eval()
    trials = Trials(run, graph)
    longest = run.experiment.loader.max_history
    program, fixed = trace(graph, trials, longest)
    with atomic_folder(options.output, replace=True) as folder:
        output = OUTPUT if search is None else "user_vectors"
        written = WRITERS[options.export_format](program, folder / FILES[options.export_format], output)
        vectors = None if search is None else run.experiment.model.item_vectors()
        difference = trials.check(written if vectors is None else _scores_of(written, vectors.detach()), fixed)
        manifest = _manifest(run, options.export_format, graph, longest, fixed, difference)
        if search is not None and vectors is not None:
            search.write(folder / INDEX)
            manifest |= {"output": {"name": output, "dtype": "float32", "shape": ["batch", vectors.shape[1]]}}
            manifest |= {"index_file": INDEX}
        write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
        item_ids = [None, *np.asarray(run.experiment.loader.data.item_ids).tolist()]
        write_text(folder / "item_ids.json", json.dumps(item_ids) + "\n")
        shutil.copyfile(Path(__file__).parent / "serving" / SERVE[options.export_format], folder / "serve.py")
    return Exported(run.experiment.config.label, options.output, "any" if fixed is None else str(fixed), difference)


def _scores_of(user_vectors: Callable[[Inputs], Tensor], item_vectors: Tensor) -> Callable[[Inputs], Tensor]:
    """The function from inputs to the scores of all items."""
    return lambda inputs: user_vectors(inputs) @ item_vectors.T


def _check_output(folder: Path, overwrite: bool) -> None:
    """Refuse an existing folder, unless it is an export that may be replaced."""
    if not folder.exists():
        return
    if not _is_export(folder):
        raise UserError(f"{folder} exists and isn't an export: give another --output")
    if not overwrite:
        raise UserError(f"{folder} holds an export: give another --output, or --overwrite true to replace it")


def _is_export(folder: Path) -> bool:
    """Whether a folder holds an export and nothing else."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        manifest = read_json(folder / "manifest.json", dict[str, Any], "")
    except UserError:  # missing or damaged
        return False
    files = {"manifest.json", "item_ids.json", "serve.py", INDEX, str(manifest.get("model_file"))}
    return {path.name for path in folder.iterdir()} <= files


def _need_onnx() -> None:
    """Raise UserError if a library for ONNX is missing."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(f"format onnx needs {name} ({error}): pip install -r requirements-export.txt") from error


def _manifest(
    run: TrainedRun, kind: Format, graph: Served, longest: int | None, fixed: int | None, difference: float
) -> dict[str, Any]:
    """What a program needs to know to run the model and read its scores."""
    data, evaluation = run.experiment.loader.data, run.experiment.config.evaluation
    shape = ["batch", "length" if fixed is None else fixed]
    inputs = [
        {"name": given.name, "dtype": given.dtype, "shape": shape if given.per_item else ["batch"], "what": given.what}
        for given in graph.inputs
    ]
    values = next((given.name for given in graph.inputs if given.is_value), None)
    libraries = ["torch"] if kind == "torch_export" else ["torch", "onnx", "onnxscript", "onnxruntime"]
    return {
        "schema": SCHEMA,
        "label": run.experiment.config.label,
        "model_code": run.experiment.model.code,
        "weights": str(run.weights),
        "format": kind,
        "model_file": FILES[kind],
        "inputs": inputs,
        "output": {"name": OUTPUT, "dtype": "float32", "shape": ["batch", data.num_items + 1], "column_0": "nothing"},
        "padding": "0, on the left",
        "max_length": longest,
        "fixed_length": fixed,
        "values": values,
        "filter_seen": evaluation.filters_seen(data.repeat_consumption),
        "items": data.num_items,
        "data": {"name": data.name, "hash": data.hash},
        "check": {"largest_difference": difference, "tolerance": TOLERANCE},
        "versions": {
            "code": code_version(),
            "python": platform.python_version(),
            **{name: importlib.import_module(name).__version__ for name in libraries},
        },
    }
