"""Hostile environments: full disks, missing permissions, concurrent processes, kills, and decompression bombs."""

import gzip
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT, Ended, Launcher, flags
from plain_forms import histories

import datasets
import main

Capture = pytest.CaptureFixture[str]
ROWS = "user,item,rating,timestamp\n" + "".join(
    f"{user},{(user * item) % 97},3,{978_300_000 + item}\n" for user in range(200) for item in range(50)
)
MAY_MOUNT = os.geteuid() == 0 and sys.platform == "linux"


def stats(path: Path, folder: Path) -> list[str]:
    """Arguments that read a file without filters."""
    return ["--mode", "stats", *flags(dataset_code="file", dataset_path=path, local_data_folder=folder, min_uc=0)]


def leftovers(folder: Path) -> list[str]:
    """The content of a data folder except cached hashes of raw files."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(name for name in found if not re.fullmatch(r"prepared|prepared/hashes.*", name))


def check_error(ended: Ended, reason: str) -> None:
    """There is one error with the reason, and no traceback."""
    assert ended.code == 1, ended.err
    assert ended.err.count("error:") == 1
    assert "Traceback" not in ended.err
    assert re.search(reason, ended.err), ended.err


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A table of 10,000 rows."""
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB; skips the test if it can't be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not MAY_MOUNT:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(launcher: Launcher, tmp_path: Path, raw: Path, small_disk: Path) -> None:
    check_error(launcher.run(tmp_path, *stats(raw, small_disk)), "can't write the prepared dataset .*free some space")
    assert leftovers(small_disk) == []


def test_disk_too_small_for_unpacking(launcher: Launcher, tmp_path: Path, small_disk: Path) -> None:
    archive = small_disk / "ml-1m" / "ml-1m.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("ml-1m/ratings.dat", "1::1::1::1\n" * 100_000)
    ended = launcher.run(tmp_path, *flags(mode="stats", dataset_code="ml-1m", local_data_folder=small_disk))
    check_error(ended, "can't unpack .*No space left")
    assert leftovers(small_disk) == ["ml-1m", "ml-1m/ml-1m.zip"]


AS_NOBODY = """
import os, sys
sys.path.insert(0, sys.argv[1])
import main, runs.commands
warm = ["--mode", "stats", "--dataset_code", "file", "--dataset_path", sys.argv[2], "--local_data_folder", sys.argv[3]]
assert main.run(warm) == 0  # imports all that nobody may not read
sys.stdout.flush()
print("as nobody", file=sys.stderr)
os.setgid(65534)
os.setuid(65534)
sys.exit(main.run(sys.argv[4:]))
"""


def run_as_nobody(tmp_path: Path, arguments: list[str]) -> Ended:
    """Run `main` in a process without root privileges."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user, who may not read a file")
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001 and "pytest-of" in str(folder):
            folder.chmod(folder.stat().st_mode | 0o011)
    warm = tmp_path / "warm.csv"
    warm.write_text(ROWS)
    command = [sys.executable, "-c", AS_NOBODY, str(ROOT), str(warm), str(tmp_path / "warm"), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    return Ended(done.returncode, done.stdout, done.stderr.partition("as nobody\n")[2], None)


def test_unreadable_file(tmp_path: Path, raw: Path) -> None:
    raw.chmod(0)
    folder = tmp_path / "Data"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    check_error(run_as_nobody(tmp_path, stats(raw, folder)), "Permission denied")
    assert leftovers(folder) == []


def test_unwritable_folder(tmp_path: Path, raw: Path) -> None:
    folder = tmp_path / "Data"
    folder.mkdir()
    check_error(run_as_nobody(tmp_path, stats(raw, folder)), "can't write .*Permission denied")
    assert leftovers(folder) == []


def test_folder_missing_file_and_file_as_data_folder(launcher: Launcher, tmp_path: Path, raw: Path) -> None:
    (tmp_path / "notes.md").touch()
    check_error(launcher.run(tmp_path, *stats(tmp_path, tmp_path / "Data")), "files of different kinds")
    check_error(launcher.run(tmp_path, *stats(tmp_path / "x.csv", tmp_path / "Data")), "no such file")
    check_error(launcher.run(tmp_path, *stats(raw, raw)), "can't write the prepared dataset")
    assert not (tmp_path / "Data").exists()
    assert raw.read_text() == ROWS


def load(path: Path, folder: Path) -> dict[object, list[object]]:
    """The histories of the prepared dataset."""
    made = datasets.DATASETS["file"].Options(dataset_path=path, local_data_folder=folder, min_uc=0)
    return histories(datasets.load("file", made))


def test_concurrent_processes_prepare_one_dataset(launcher: Launcher, tmp_path: Path, raw: Path) -> None:
    running = [launcher.start(tmp_path, *stats(raw, tmp_path / "Data")) for _ in range(3)]
    shown = [process.wait().ok().out for process in running]
    assert len(set(shown)) == 1
    assert len(list((tmp_path / "Data" / "prepared").glob("[!h]*"))) == 1
    assert load(raw, tmp_path / "Data") == load(raw, tmp_path / "alone")


def test_kill_before_any_file_change(launcher: Launcher, tmp_path: Path, raw: Path) -> None:
    """Killed just before each change of a file, a process leaves nothing that is mistaken for the dataset."""
    expected = load(raw, tmp_path / "alone")
    place = tmp_path / "place"
    place.mkdir()
    changes = launcher.run(place, *stats(raw, place / "Data")).ok().changes
    assert changes is not None
    assert changes > 5
    for number in range(1, changes + 1):
        folder = tmp_path / f"killed-{number}"
        folder.mkdir()
        killed = launcher.run(folder, *stats(raw, folder / "Data"), die_at=number)
        assert killed.code == -9
        assert load(raw, folder / "Data") == expected


def test_decompression_bombs_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, loggers_as_before: None
) -> None:
    """The bounds are lowered so that 50 MB exceed them."""
    monkeypatch.setattr("datasets.archives.HARMLESS_BYTES", 1 << 20)
    monkeypatch.setattr("datasets.readers.text.HARMLESS_BYTES", 1 << 20)
    rows = b"1,2\n" * 12_500_000
    packed = tmp_path / "bomb.csv.gz"
    packed.write_bytes(gzip.compress(rows))
    assert main.run(stats(packed, tmp_path / "Data")) == 1
    assert "unpacks to more than" in capsys.readouterr().err
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("u.data", rows)
    folder = tmp_path / "Data" / "ml-100k"
    folder.mkdir(parents=True)
    for name, bomb in (("ml-100k.zip", content.getvalue()), ("u.data.gz", packed.read_bytes())):
        (folder / name).write_bytes(bomb)
        given = flags(mode="stats", dataset_code="ml-100k", local_data_folder=tmp_path / "Data", dataset_url="none:")
        assert main.run(given) == 1
        error = capsys.readouterr().err
        assert re.search("would unpack to|unpacks to more than", error)
        assert "Traceback" not in error
        assert leftovers(tmp_path / "Data") == ["ml-100k", f"ml-100k/{name}"]
        (folder / name).unlink()
