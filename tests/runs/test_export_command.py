"""Command export: every model in both formats, the other files, and the serving script."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from helpers import Ended
from served_runs import data_of, make_run

import main
from models import MODELS
from runs.export import WRITERS
from runs.serving.formats import write_torch

CODES = sorted(MODELS)
NOT_IN_ONNX = [code for code in CODES if MODELS[code].onnx_refusal is not None]
SERVED = ("vae", "sas", "bert")
HISTORY = ["item 03", "item 11", "item 07", "item 03", "item 20"]
FORMATS = ("torch_export", "onnx")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs of this module."""
    return tmp_path_factory.mktemp("exported")


def export(runs: Path, code: str, kind: str, *argv: object, output: Path | None = None) -> int:
    """`--mode export` of a model, to its own folder unless another is given."""
    given = ["--mode", "export", "--pretrained_weights", make_run(runs, code), "--export_format", kind]
    return main.run([str(word) for word in [*given, "--output", output or runs / f"{code}-{kind}", *argv]])


def exported(runs: Path, code: str, kind: str) -> Path:
    """An export, made on first use; skips the test without the libraries that it needs."""
    if kind == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    folder = runs / f"{code}-{kind}"
    if not folder.exists():
        assert export(runs, code, kind) == 0
    return folder


@pytest.mark.parametrize("code", CODES)
def test_every_model_is_exported_or_refused_by_name(runs: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    if code == "als":
        pytest.importorskip("implicit")
    refusal = MODELS[code].export_refusal or MODELS[code].new_user_refusal
    if refusal is not None:
        assert export(runs, code, "torch_export") == 1
        assert f"model {code} can't be exported: {refusal}" in capsys.readouterr().err
        assert not (runs / f"{code}-torch_export").exists()
        return
    folder = exported(runs, code, "torch_export")
    assert {path.name for path in folder.iterdir()} == {"item_ids.json", "manifest.json", "model.pt2", "serve.py"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model_code"] == code and manifest["check"]["largest_difference"] < 1e-4
    assert (manifest["fixed_length"] is None) == (code not in ("gru4rec", "mamba4rec", "meantime", "narm", "tisas"))
    module = torch.export.load(folder / "model.pt2").module()
    for rows in (1, 4):
        scores = module(**example(manifest, rows))
        assert scores.shape == (rows, manifest["items"] + 1) and torch.isfinite(scores[:, 1:]).all()


def example(manifest: dict[str, Any], rows: int) -> dict[str, torch.Tensor]:
    """Inputs as the manifest describes them."""
    made = {}
    for number, given in enumerate(manifest["inputs"]):
        shape = [{"batch": rows, "length": 3}.get(size, size) for size in given["shape"]]
        values = torch.randint(1, 6, shape, generator=torch.Generator().manual_seed(number))
        made[given["name"]] = values.sort().values.to(getattr(torch, given["dtype"]))
    return made


@pytest.mark.parametrize("code", [*SERVED, "ease", "itemknn", "bias", *NOT_IN_ONNX])  # one of each kind of graph
def test_export_to_onnx(runs: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    if code in NOT_IN_ONNX:
        assert export(runs, code, "onnx") == 1
        assert f"model {code} can't be exported to onnx" in capsys.readouterr().err
        assert not (runs / f"{code}-onnx").exists()
        return
    folder = exported(runs, code, "onnx")
    manifest = json.loads((folder / "manifest.json").read_text())
    session = runtime.InferenceSession(folder / "model.onnx")
    assert [given.name for given in session.get_inputs()] == [given["name"] for given in manifest["inputs"]]
    assert [found.name for found in session.get_outputs()] == ["scores"]
    (scores,) = session.run(None, {name: value.numpy() for name, value in example(manifest, 3).items()})
    assert scores.shape == (3, manifest["items"] + 1)


def serve(folder: Path, *words: str) -> Ended:
    """`python serve.py`, run in this process, which has imported torch."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["serve.py", *words])
        try:
            runpy.run_path(str(folder / "serve.py"), run_name="__main__")
        except SystemExit as exit_:
            code = 0 if exit_.code in (None, 0) else 1
            err.write(str(exit_.code))
    return Ended(code, out.getvalue(), err.getvalue(), None)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("code", SERVED)
def test_the_script_recommends_what_the_harness_does(
    runs: Path, code: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(runs, code, kind)
    done = serve(folder, *HISTORY[:2], "unheard of", *HISTORY[2:])
    assert done.ok().err.splitlines()[-1] == "unknown, so skipped: unheard of"
    served = [line.split("\t") for line in done.out.splitlines()]
    monkeypatch.chdir(tmp_path)
    rows = [("me", item, 5, 1_700_000_000 + place) for place, item in enumerate(HISTORY)]
    pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]).to_csv("new.csv", index=False)
    given = ["--mode", "recommend", "--pretrained_weights", str(make_run(runs, code)), "--histories", "new.csv"]
    assert main.run([*given, "--topk", "10", "--output", "recommendations.parquet"]) == 0
    expected = pd.read_parquet("recommendations.parquet")
    assert [item for item, _ in served] == expected["item"].tolist()
    assert [float(score) for _, score in served] == pytest.approx(expected["score"].tolist(), abs=2e-4)


def test_items_are_given_with_their_times(runs: Path) -> None:
    folder = exported(runs, "tisas", "torch_export")
    assert json.loads((folder / "manifest.json").read_text())["values"] == "timestamps"
    lists = [
        serve(folder, "item 03@1600000000", f"item 05@{1_600_000_000 + gap}", "item 09@1600900000") for gap in (9, 9**5)
    ]
    assert all(len(done.ok().out.splitlines()) == 10 for done in lists)
    assert lists[0].out != lists[1].out


@pytest.mark.parametrize("kind", FORMATS)
def test_items_before_the_window_are_left_out_too(runs: Path, kind: str) -> None:
    """In a history longer than the model's window, the first items are not recommended either."""
    folder = exported(runs, "sas", kind)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["max_length"] == 9
    (folder / "manifest.json").write_text(json.dumps({**manifest, "filter_seen": True}))
    history = [f"item {number:02d}" for number in range(20)]
    done = serve(folder, *history)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shown = [line.split("\t")[0] for line in done.out.splitlines()]
    assert shown and not set(shown) & set(history)


def test_a_history_without_known_items_is_an_error(runs: Path) -> None:
    done = serve(exported(runs, "vae", "torch_export"), "nothing", "of", "this")
    assert done.code == 1 and "no item of the history is known: give ITEM ..." in done.err


def test_the_files_of_an_export(runs: Path) -> None:
    folder = exported(runs, "vae", "torch_export")
    manifest, data = json.loads((folder / "manifest.json").read_text()), data_of(runs)
    assert json.loads((folder / "item_ids.json").read_text()) == [None, *data.item_ids.tolist()]
    assert manifest["data"] == {"name": "purchases", "hash": data.hash}
    assert manifest["inputs"][0]["shape"] == ["batch", "length"] and manifest["max_length"] == 8
    assert manifest["padding"] == "0, on the left" and manifest["versions"]["torch"] == torch.__version__
    lines = (folder / "serve.py").read_text().splitlines()
    code = [line for line in lines[lines.index("import torch") + 1 :] if line]
    assert len(code) <= 55


@pytest.mark.parametrize("kind", FORMATS)
def test_the_script_can_be_imported(runs: Path, kind: str) -> None:
    """Importing it, where this harness can't be, loads no model; the function gives what the command prints."""
    folder = exported(runs, "sas", kind)
    program = "import sys, json; sys.path.insert(0, '.'); import serve; print(serve.load_model.cache_info().currsize); "
    program += f"lists = [serve.recommend({HISTORY!r}, topk=k) for k in (3, 10)]; print(json.dumps(lists))"
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-I", "-B", "-c", program, "word"]
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=240, check=True)
    first, lists = done.stdout.splitlines()
    three, ten = json.loads(lists)
    assert first == "0" and three == ten[:3] and len(ten) == 10
    assert [item for item, _ in ten] == [line.split("\t")[0] for line in serve(folder, *HISTORY).out.splitlines()]


@pytest.mark.parametrize(("words", "said"), [(["item 03"], "could not convert"), (["x", "item 03@x"], "skipped: x")])
def test_an_item_without_its_value_is_said(runs: Path, words: list[str], said: str) -> None:
    done = serve(exported(runs, "tisas", "torch_export"), *words)
    assert done.code == 1 and said in done.err and "give ITEM@VALUE" in done.err


def test_an_export_is_not_overwritten_by_default(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exported(runs, "pop", "torch_export")
    (folder / "serve.py").write_text("old")
    assert export(runs, "pop", "torch_export") == 1
    assert "--overwrite true" in capsys.readouterr().err and (folder / "serve.py").read_text() == "old"
    assert export(runs, "pop", "torch_export", "--overwrite", "true") == 0
    assert (folder / "serve.py").read_text() != "old" and not list(runs.glob(".*.tmp"))
    (folder / "mine").write_text("")  # with something else in it, it isn't just an export any more
    assert export(runs, "pop", "torch_export", "--overwrite", "true") == 1
    assert "isn't an export" in capsys.readouterr().err
    (folder / "mine").unlink()
    assert export(runs, "pop", "torch_export", "--overwrite", "true", output=runs) == 1
    assert "isn't an export" in capsys.readouterr().err


def test_an_export_with_other_scores_writes_nothing(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(program: Any, path: Path, output: str) -> Any:
        scores = write_torch(program, path, output)
        return lambda inputs: scores(inputs) * 1.01

    monkeypatch.setitem(WRITERS, "torch_export", wrong)
    make_run(runs, "pop")
    before = set(runs.iterdir())
    assert export(runs, "pop", "torch_export", output=runs / "wrong") == 1
    assert "gives other scores than the trained one" in capsys.readouterr().err
    assert set(runs.iterdir()) == before


def test_weighted_padding_and_bags_of_counts(runs: Path) -> None:
    """Options that change a dataloader's inputs are part of the graph."""
    changes: list[tuple[str, dict[str, Any]]] = [
        ("vae", {"count_padding": True, "repeat_weights": "last"}),
        ("vae", {"normalize_type": "batch", "weight_type": "linear"}),
        ("mult_dae", {"bag_weights": "count", "max_input_items": 6}),
    ]
    for number, (code, options) in enumerate(changes):
        run = make_run(runs, code, experiment_name=f"other{number}", **options)
        given = ["--mode", "export", "--pretrained_weights", str(run), "--output", str(runs / f"other{number}")]
        assert main.run(given) == 0, (code, options)


def test_missing_libraries_are_named(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert export(runs, "vae", "onnx", output=runs / "missing") == 1
    assert "requirements-export.txt" in capsys.readouterr().err
