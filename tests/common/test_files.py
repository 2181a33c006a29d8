"""Files and folders appear as a whole, and what killed processes leave half-written is removed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from common import files
from common.files import atomic_folder, atomic_path, remove_abandoned, write_text

DIES = """
import os, signal, sys
from pathlib import Path
from common import files
files._renamed_both = lambda one, other: False
if sys.argv[1] == "file":
    with files.atomic_path(Path("out.csv")) as path:
        path.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
else:
    real = Path.rename
    def rename(self, target):
        if "served" == Path(target).name:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, target)
    Path.rename = rename
    with files.atomic_folder(Path("served"), replace=True) as folder:
        (folder / "new").touch()
"""


def killed(folder: Path, what: str) -> None:
    """Let a process be killed while it writes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", DIES, what], cwd=folder, env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_a_failing_block_changes_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "before")
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a") as path:
        path.write_text("after")
        _ = 1 / 0
    assert [one.name for one in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "before"


def test_half_written_files_are_removed_by_the_next_writer(tmp_path: Path) -> None:
    killed(tmp_path, "file")
    assert len(list(tmp_path.glob(".out.csv.*.tmp"))) == 1
    write_text(tmp_path / "other.csv", "1")
    assert len(list(tmp_path.glob(".out.csv.*.tmp"))) == 1
    write_text(tmp_path / "out.csv", "1")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other.csv", "out.csv"]


def test_what_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as one, atomic_path(tmp_path / "a") as other:
        remove_abandoned(tmp_path, ".*.tmp", seconds=0)
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_that_have_no_lock_are_removed_by_age(tmp_path: Path) -> None:
    young, old = tmp_path / ".tmpyoung", tmp_path / ".tmpold"
    young.touch()
    old.touch()
    os.utime(old, (1, 1))
    remove_abandoned(tmp_path, ".tmp*")
    assert young.exists() and not old.exists()
    remove_abandoned(tmp_path, ".tmp*", seconds=0)
    assert not young.exists()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(files, "_renamed_both", lambda one, other: False)
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "served", replace=True) as folder:
            (folder / name).touch()
    with atomic_folder(tmp_path / "served") as folder:
        (folder / "third").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["served"]
    assert [path.name for path in (tmp_path / "served").iterdir()] == ["second"]


def test_a_folder_on_its_way_out_comes_back(tmp_path: Path) -> None:
    """Where two folders can't be exchanged at once, a kill between the two renames loses nothing."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "old").touch()
    killed(tmp_path, "folder")
    assert not (tmp_path / "served").exists()
    remove_abandoned(tmp_path, ".*.tmp")
    assert [path.name for path in tmp_path.iterdir()] == ["served"]
    assert [path.name for path in (tmp_path / "served").iterdir()] == ["old"]
