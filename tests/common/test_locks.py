"""Locks on folders: one process at a time, freed by a kill, with a warning where there are no locks."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from common import locks
from common.errors import UserError
from common.locks import is_locked, locked, wait_until_free

HOLD = """
import sys, time
from pathlib import Path
from common.locks import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_frees_its_lock(tmp_path: Path) -> None:
    assert is_locked(tmp_path) is False and not list(tmp_path.iterdir())
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline().strip() == b"locked"
        for _ in range(2):  # looking doesn't take the lock
            assert is_locked(tmp_path) is True
            with pytest.raises(UserError, match="in use by another process"):
                wait_until_free(tmp_path)
            with pytest.raises(UserError, match="in use by another process"), locked(tmp_path):
                pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(tmp_path):
        pass
    assert is_locked(tmp_path) is False


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_gives_a_warning(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(file: object, kind: int) -> None:
        raise OSError(code, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path):
        assert is_locked(tmp_path) is None
    assert f"{tmp_path} can't be locked here" in caplog.text


def test_a_system_without_fcntl_gives_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    with locked(tmp_path):
        assert is_locked(tmp_path) is None
    assert f"{tmp_path} can't be locked here" in caplog.text
