"""Command completion: the script completes options and their values in bash."""

import shutil
import subprocess
from pathlib import Path

import pytest

import main

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_main_py
echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python main.py --mode com", "compare completion"),
        ("python main.py --model_code gru", "gru4rec"),
        ("python main.py --templates train_sas_ce --device cu", "cuda"),
        ("python main.py --templates quick", "quickstart"),
        ("python main.py --learnability --num_ep", "--num_epochs"),
        ("python main.py --help num_ep", "num_epochs"),
        ("python other.py --num_ep", ""),
    ],
)
def test_bash_completes(line: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--mode", "completion", "bash"]) == 0
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    command = ["bash", "-c", ASK, "ask", str(script), *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == expected and not done.stderr
