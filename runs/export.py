"""Mode export: write a trained model as a file that other programs can run, with the ids and a serving script."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from common.errors import UserError
from common.files import atomic_folder, write_text
from common.schema import Options
from common.version import code_version
from evaluation.options import EvaluationOptions
from options.request import Request
from runs.build import run_options
from runs.folders import label_of
from runs.serving.formats import trace, write_onnx, write_torch
from runs.serving.graph import Served, served
from runs.serving.trials import TOLERANCE, Trials
from runs.trained import TrainedRun, load_trained

Format = Literal["torch_export", "onnx"]
WRITERS = {"torch_export": write_torch, "onnx": write_onnx}
FILES = {"torch_export": "model.pt2", "onnx": "model.onnx"}
SERVE = {"torch_export": "serve_torch.py", "onnx": "serve_onnx.py"}
SCHEMA = 1


class ExportOptions(Options):
    """Options of mode export."""

    output: Path = Field(description="the folder to write")
    export_format: Format = Field(
        "torch_export", description="torch_export: .pt2, run by torch; onnx: run by ONNX Runtime and others"
    )
    dataset_path: Path | None = Field(None, description="current path of the run's data file; null = unchanged")
    local_data_folder: Path | None = Field(None, description="folder of prepared datasets; null = that of the run")


@dataclass(frozen=True)
class Exported:
    """What was written; difference: the largest relative difference from the trained model's scores."""

    label: str
    folder: Path
    length: str
    difference: float


def export(request: Request) -> Exported:
    """Write the exported model. Raises UserError, and writes nothing, if the model can't be exported."""
    options = request.sections["export"]
    assert isinstance(options, ExportOptions)
    _check_output(options.output, run_options(request).overwrite)
    if options.export_format == "onnx":
        _need_onnx()
    run = load_trained(
        request,
        dataset_path=options.dataset_path,
        local_data_folder=options.local_data_folder,
        device="cpu",
        precision="fp32",
    )
    refusal = run.model.onnx_refusal
    if options.export_format == "onnx" and refusal is not None:
        raise UserError(
            f"model {run.model.code} can't be exported to onnx: {refusal}. Use --export_format torch_export"
        )
    graph = served(run.model, run.loader).eval()
    trials = Trials(run, graph)
    longest = run.loader.max_history
    program, fixed = trace(graph, trials, longest)
    with atomic_folder(options.output) as folder:
        scores = WRITERS[options.export_format](program, folder / FILES[options.export_format])
        difference = trials.check(scores, fixed)
        manifest = _manifest(run, options.export_format, graph, longest, fixed, difference)
        write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
        item_ids = [None, *np.asarray(run.loader.data.item_ids).tolist()]
        write_text(folder / "item_ids.json", json.dumps(item_ids) + "\n")
        shutil.copyfile(Path(__file__).parent / "serving" / SERVE[options.export_format], folder / "serve.py")
        replaced = _set_aside(options.output)
    if replaced is not None:
        shutil.rmtree(replaced)
    return Exported(label_of(run.request), options.output, "any" if fixed is None else str(fixed), difference)


def _check_output(folder: Path, overwrite: bool) -> None:
    """Refuse an existing folder, unless it is an export that may be replaced."""
    if not folder.exists():
        return
    if not _is_export(folder):
        raise UserError(f"{folder} exists and is no export: give another --output")
    if not overwrite:
        raise UserError(f"{folder} holds an export: give another --output, or --overwrite true to replace it")


def _is_export(folder: Path) -> bool:
    """Whether a folder holds an export and nothing else."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = {"manifest.json", "item_ids.json", "serve.py", str(manifest["model_file"])}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return {path.name for path in folder.iterdir()} <= files


def _set_aside(folder: Path) -> Path | None:
    """Move the export that is to be replaced aside; returns its new place, or None if there is none."""
    if not folder.exists():
        return None
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old.tmp")
    folder.rename(aside)
    return aside


def _need_onnx() -> None:
    """Raise UserError if a library is missing, before anything is read."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(f"format onnx needs {name} ({error}): pip install -r requirements-export.txt") from error


def _manifest(
    run: TrainedRun, kind: Format, graph: Served, longest: int | None, fixed: int | None, difference: float
) -> dict[str, Any]:
    """What a program needs to know to run the model and read its scores."""
    data, evaluation = run.loader.data, run.request.sections["evaluation"]
    assert isinstance(evaluation, EvaluationOptions)
    shape = ["batch", "length" if fixed is None else fixed]
    inputs = [
        {"name": given.name, "dtype": given.dtype, "shape": shape if given.per_item else ["batch"], "what": given.what}
        for given in graph.inputs
    ]
    values = next((given.name for given in graph.inputs if given.is_value), None)
    libraries = ["torch"] if kind == "torch_export" else ["torch", "onnx", "onnxscript", "onnxruntime"]
    return {
        "schema": SCHEMA,
        "label": label_of(run.request),
        "model_code": run.model.code,
        "weights": str(run.weights),
        "format": kind,
        "model_file": FILES[kind],
        "inputs": inputs,
        "output": {"name": "scores", "dtype": "float32", "shape": ["batch", data.num_items + 1], "column_0": "nothing"},
        "padding": "0, on the left",
        "max_length": longest,
        "fixed_length": fixed,
        "values": values,
        "filter_seen": evaluation.filters_seen(data.repeats),
        "items": data.num_items,
        "data": {"name": data.name, "hash": data.hash},
        "check": {"largest_difference": difference, "tolerance": TOLERANCE},
        "versions": {
            "code": code_version(),
            "python": platform.python_version(),
            **{name: importlib.import_module(name).__version__ for name in libraries},
        },
    }
