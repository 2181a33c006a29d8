"""Tracing a graph, writing it to a file, and reading the file back."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from runs.serving.graph import Served
from runs.serving.trials import Inputs, Trials

log = logging.getLogger(__name__)
OPSET = 18  # of ONNX


def trace(graph: Served, trials: Trials, longest: int | None) -> tuple[ExportedProgram, int | None]:
    """(program, None) for any history length; (program, length) if it can only be traced for one length."""
    try:
        return _traced(graph, trials.inputs([2, 3, 4]), Dim("length", min=1, max=longest)), None
    except torch._dynamo.exc.UserError as error:
        if longest is None:
            raise
        log.info(
            "model %s can only be exported for histories of one length, %d", trials.run.experiment.model.code, longest
        )
        log.debug("%s", error)
    return _traced(graph, trials.inputs([2, 3, 4], longest), None), longest


def _traced(graph: Served, inputs: Inputs, length: Dim | None) -> ExportedProgram:
    batch = Dim("batch", min=1)
    sizes: dict[str, Any] = {
        name: {0: batch} if value.dim() == 1 or length is None else {0: batch, 1: length}
        for name, value in inputs.items()
    }
    with torch.no_grad():
        program = torch.export.export(graph, (), inputs, dynamic_shapes=sizes, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names the files of this machine
    return program


def write_torch(program: ExportedProgram, path: Path, output: str) -> Callable[[Inputs], Tensor]:
    """Write a .pt2 file, and read it back: a function from inputs to the output, which has no name there."""
    torch.export.save(program, path)
    module = torch.export.load(path).module()

    def scores(inputs: Inputs) -> Tensor:
        with torch.no_grad():
            found: Tensor = module(**inputs)
        return found

    return scores


def write_onnx(program: ExportedProgram, path: Path, output: str) -> Callable[[Inputs], Tensor]:
    """Write an .onnx file, and read it back: a function from inputs to the output."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of every library that it could also convert
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        converted = torch.onnx.export(program, dynamo=True, opset_version=OPSET, output_names=[output], verbose=False)
    assert converted is not None
    for node in converted.model.graph:
        node.metadata_props.clear()
    converted.save(path)
    session: Any = importlib.import_module("onnxruntime").InferenceSession(path)

    def scores(inputs: Inputs) -> Tensor:
        given = {name: value.numpy() for name, value in inputs.items()}
        return torch.from_numpy(session.run(None, given)[0])

    return scores
