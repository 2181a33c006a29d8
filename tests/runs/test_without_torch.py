"""Help, wrong options and commands that compute nothing start without torch, and a run starts with it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from options.registries import ROOT

WORDS = [
    ("--help", 0),
    ("--help --templates train_meantime", 0),
    ("--templates train_vae --lerning_rate 1 --dropout x", 2),
    ("--templates train_sas_ce --train_negative_sample_size 3", 2),
    ("--mode datasets", 0),
    ("--mode report --experiments results", 0),
    ("--mode status --templates benchmark_ml1m", 0),
    ("--mode stats --dataset_code synthetic --synthetic_users 50 --local_data_folder {folder}", 0),
]
IMPORTS = """
import json, sys, main
for line, code in json.loads(sys.argv[1]):
    words = line.split()
    assert main.run(words) == code, line
    unused = ["torch._C", "safetensors", "optuna", "matplotlib"]
    unused += ["pandas.core", "scipy.linalg", "pyarrow.lib", "requests.api"] if code or "--help" in words else []
    assert not set(unused) & set(sys.modules), (line, set(unused) & set(sys.modules))
"""
TRAIN = """
import sys, main
assert main.run(sys.argv[1:]) == 0
import torch, models.base
assert issubclass(models.base.Model, torch.nn.Module) and torch.ones(2).sum() == 2
from runs.without_torch import StandIn, _StandInModule
def is_stand_in(value):
    return type(value) is _StandInModule or (issubclass(type(value), type) and StandIn in value.__mro__)
modules = {name: dict(vars(module)) for name, module in sys.modules.items() if name[:2] != "__"}
del modules["runs.without_torch"]
stale = [(name, key) for name, held in modules.items() for key, value in held.items() if is_stand_in(value)]
assert not stale, stale
"""
STAND_IN = """
import pytest
from runs.without_torch import refuse_torch, without_torch
with without_torch() as replaced:
    import torch, pandas
    from models import MODELS
    assert replaced and MODELS["ease"].Options().l2 == 500
    assert torch.iinfo(torch.int64).max // 2 is not None
    refuse_torch()
    with pytest.raises(RuntimeError, match="needs_torch"):
        torch.zeros(2)
assert pandas.DataFrame({"a": [1]}).a.sum() == 1
import torch
from models import MODELS
assert issubclass(MODELS["ease"], torch.nn.Module)
with without_torch() as replaced:
    assert not replaced
"""
MISSING = """
import sys
missing = sys.argv[1]
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import main
sys.exit(main.run(sys.argv[2:]))
"""


def python(code: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


def test_light_commands_do_not_load_torch(tmp_path: Path) -> None:
    done = python(IMPORTS, json.dumps([(line.format(folder=tmp_path), code) for line, code in WORDS]))
    assert done.returncode == 0, done.stderr[-3000:]


def test_training_loads_torch_after_the_options(tmp_path: Path) -> None:
    folders = f"--experiment_root {tmp_path} --local_data_folder {tmp_path}".split()
    line = "--templates quickstart --pilot true --synthetic_users 300 --num_threads 1"
    done = python(TRAIN, *line.split(), *folders)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_stand_in_of_torch() -> None:
    done = python(STAND_IN)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("pydantic", "--help"),
        ("torch", "--templates quickstart"),
        ("pandas", "--mode report --experiments results"),
    ],
)
def test_missing_requirements_are_named(package: str, line: str) -> None:
    done = python(MISSING, package, *line.split())
    expected = f"error: {package} is not installed. Install the requirements: pip install -r requirements.txt\n"
    assert (done.returncode, done.stderr) == (1, expected)
