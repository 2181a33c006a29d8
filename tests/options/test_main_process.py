"""The process: exit codes, one message without a traceback, and nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

import main
import runs.commands
from common.errors import UserError
from options import Resolved
from options.registries import ROOT

GOOD = ["--mode", "stats", "--dataset_code", "synthetic"]


def process(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_wrong_options_are_reported_and_nothing_is_written(tmp_path: Path) -> None:
    done = process("--templates", "train_vae", "--dropot", "1", "--lr", "x", "--seed=-1", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: 3 options are wrong") and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_arguments(tmp_path: Path) -> None:
    done = process(cwd=tmp_path)
    assert done.returncode == 2 and "--templates quickstart" in done.stdout and done.stderr == ""


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(ROOT / "main.py")], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_version_needs_no_torch() -> None:
    code = "import sys, main; code = main.run(['--version']); sys.exit(code or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_a_run_s_exit_code_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Resolved] = []

    def run(request: Resolved) -> int:
        seen.append(request)
        return 7

    monkeypatch.setattr(runs.commands, "run", run)
    assert main.run(GOOD) == 7
    assert seen[0].command == "stats"


@pytest.mark.parametrize(
    ("raised", "code", "reported"),
    [(UserError("the file is gone"), 1, "error: the file is gone\n"), (KeyboardInterrupt(), 130, "interrupted\n")],
)
def test_errors_of_a_run(
    raised: BaseException, code: int, reported: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(request: Resolved) -> int:
        raise raised

    monkeypatch.setattr(runs.commands, "run", run)
    assert main.run(GOOD) == code
    assert capsys.readouterr().err == reported


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(request: Resolved) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(runs.commands, "run", run)
    with pytest.raises(ZeroDivisionError):
        main.run(GOOD)


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help", "--templates", "train_vae"]) == 0
    printed = capsys.readouterr()
    assert "model vae" in printed.out and "--train_transfer" in printed.out and printed.err == ""
