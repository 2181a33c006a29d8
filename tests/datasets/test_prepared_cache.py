"""The cache on disk: written atomically, memory-mapped, reused, and rebuilt if damaged."""

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datasets
from common.errors import UserError
from datasets import cache
from datasets.fingerprint import content_hash
from datasets.sequence_data import ARRAYS, SequenceData

LoadFile = Callable[..., SequenceData]
ROWS = "user,item,rating,timestamp\n" + "".join(f"{u},{u + i},{i % 5},{100 * i}\n" for u in range(9) for i in range(9))


def equal(one: SequenceData, other: SequenceData) -> bool:
    """Whether all arrays and attributes are the same."""
    arrays = all(np.array_equal(getattr(one, key), getattr(other, key)) for key in ARRAYS)
    return arrays and (one.name, one.hash, one.repeat_consumption, one.funnel) == (
        other.name,
        other.hash,
        other.repeat_consumption,
        other.funnel,
    )


def prepared(folder: Path) -> list[Path]:
    """The folders of prepared datasets."""
    return sorted(path for path in (folder / "Data" / "prepared").iterdir() if path.name != "hashes")


def test_second_load_maps_the_cached_arrays(
    load_file: LoadFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_file(ROWS)
    assert isinstance(first.items, np.memmap)
    assert not first.items.flags.writeable

    def refuse(*_: Any) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(datasets.DATASETS["file"], "read", refuse)
    assert equal(first, load_file(tmp_path / "mine.csv"))


def test_messages_about_the_data_are_logged_at_each_load(
    load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="datasets")
    for source in (ROWS + "1,2,not a number,5\n", tmp_path / "mine.csv"):
        caplog.clear()
        load_file(source, skip_bad_rows=True, min_rating=1)
        assert caplog.text.count("dropped 1 bad rows") == 1, caplog.text
        assert caplog.text.count("drop rows rated below 1") == 1
        assert [r.levelname for r in caplog.records if "dropped 1 bad" in r.message] == ["WARNING"]


def test_messages_are_cached_even_if_logging_is_off(
    load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_file(ROWS, min_rating=1)
    caplog.set_level(logging.INFO)
    load_file(tmp_path / "mine.csv", min_rating=1)
    assert "is read as" in caplog.text and "logged when the data was prepared" in caplog.text


def test_cached_messages_name_the_loaded_dataset(
    load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the name under which the same content was prepared."""
    caplog.set_level(logging.INFO)
    rows = ROWS + "1,2,not a number,5\n"
    load_file(rows, name="earlier.csv", skip_bad_rows=True, min_rating=1)
    assert f"{tmp_path / 'earlier.csv'} is read as" in caplog.text
    caplog.clear()
    load_file(rows, name="{name} % [x].csv", skip_bad_rows=True, min_rating=1)
    assert "earlier" not in caplog.text
    said = [record.getMessage() for record in caplog.records if "logged when" in record.getMessage()]
    assert len(said) == 2
    assert all(message.startswith("{name} % [x]") for message in said)


def test_name_is_not_part_of_the_cache(load_file: LoadFile, tmp_path: Path) -> None:
    one = load_file(ROWS)
    other = load_file(tmp_path / "mine.csv", dataset_name="Other")
    assert (one.name, other.name) == ("mine", "Other")
    assert one.hash == other.hash


def test_each_set_of_options_has_its_own_folder(load_file: LoadFile, tmp_path: Path) -> None:
    load_file(ROWS)
    load_file(ROWS + "1,2,3,4\n")
    load_file(ROWS)
    load_file(ROWS, name="elsewhere.csv")
    assert len(prepared(tmp_path)) == 2
    for options in ({"min_uc": 2}, {"min_rating": 1}, {"filter_mode": "once"}, {"tie_seed": 1}, {"subsample_users": 4}):
        load_file(ROWS, **options)
    assert len(prepared(tmp_path)) == 7


def test_file_changed_in_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    os.utime(path, (1, 1))
    first = content_hash(path, tmp_path)
    path.write_text("two")
    os.utime(path, (1, 1))
    assert content_hash(path, tmp_path) != first


def test_hash_of_an_unchanged_file_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    now = time.time()
    monkeypatch.setattr("datasets.fingerprint.time.time", lambda: now + 60)
    first = content_hash(path, tmp_path)
    monkeypatch.setattr("datasets.fingerprint.sha256_file", lambda _: "read again")
    assert content_hash(path, tmp_path) == first


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def blank(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-16] + bytes(16))


def swap(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-32] + content[-16:] + content[-32:-16])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cheat(path: Path) -> None:
    path.write_text(json.dumps({"key": "other", "hash": "other", "sums": {}, "repeats": False}))


@pytest.mark.parametrize("name", [*(f"{key}.npy" for key in ARRAYS if key != "parts"), "meta.json"])
@pytest.mark.parametrize(
    "damage", [flip, blank, swap, truncate, Path.unlink, cheat], ids=lambda damage: damage.__name__
)
def test_damaged_cache_is_rebuilt(
    load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: Callable[[Path], None]
) -> None:
    first = load_file(ROWS)
    kept = {key: None if getattr(first, key) is None else np.array(getattr(first, key)) for key in ARRAYS}
    path = prepared(tmp_path)[0] / name
    damage(path)
    with caplog.at_level(logging.WARNING):
        again = load_file(tmp_path / "mine.csv")
    if name != "meta.json" or damage is not flip:  # a flipped bit of JSON may be a blank
        assert "damaged" in caplog.text
    for key in ARRAYS:
        np.testing.assert_array_equal(getattr(again, key), kept[key])


@pytest.mark.parametrize("rebuilt", [False, True])
def test_another_process_may_replace_a_damaged_folder(
    load_file: LoadFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rebuilt: bool
) -> None:
    """Another process removes or rebuilds the folder while this one reads the damaged version."""
    load_file(ROWS)
    folder = prepared(tmp_path)[0]
    good = tmp_path / "good"
    shutil.copytree(folder, good)

    def meddle(*_: Any) -> None:
        shutil.rmtree(folder)
        if rebuilt:
            good.rename(folder)
        raise ValueError("damaged")

    monkeypatch.setattr(cache, "_read_arrays", meddle)
    assert cache.load(folder, name="mine") is None
    monkeypatch.undo()
    assert prepared(tmp_path) == [folder] * rebuilt
    assert (cache.load(folder, name="mine") is not None) == rebuilt


def test_leftovers_of_killed_processes_are_removed_later(load_file: LoadFile, tmp_path: Path) -> None:
    """Leftovers of any dataset are removed, even if nothing has to be prepared."""
    load_file(ROWS)
    folder = tmp_path / "Data" / "prepared"
    left = [folder / ".other.a.tmp" / "items.npy", folder / "hashes" / ".x.json.a.tmp"]
    used = [folder / ".other.b.tmp" / "items.npy", folder / "hashes" / ".x.json.b.tmp"]
    for path in (*left, *used):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    long_ago = time.time() - 2 * 24 * 3600
    for path in (*left, left[0].parent, used[0].parent):  # the last is written to, though nothing new is in it
        os.utime(path, (long_ago, long_ago))
    load_file(tmp_path / "mine.csv")
    assert not any(path.exists() for path in (*left, left[0].parent))
    assert all(path.exists() for path in used)


def test_full_disk_is_one_error_and_leaves_no_files(
    load_file: LoadFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("datasets.cache.np.save", full)
    with pytest.raises(UserError, match="No space left"):
        load_file(ROWS)
    assert prepared(tmp_path) == []


def test_data_folder_that_is_a_file_is_an_error(load_file: LoadFile, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="can't write the prepared dataset"):
        load_file(ROWS, local_data_folder=tmp_path / "taken")


PROGRAM = """
import sys
from pathlib import Path
import datasets
options = datasets.DATASETS["synthetic"].Options(
    local_data_folder=Path(sys.argv[1]), synthetic_users=3000, synthetic_length=60
)
print(datasets.load("synthetic", options).items[:5].tolist(), flush=True)
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    """A process that prepares a dataset."""
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_concurrent_processes_prepare_the_same_data(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(3)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert all(process.returncode == 0 for process in processes), outputs
    assert len({output for output, _ in outputs}) == 1
    assert [path.name for path in (tmp_path / "prepared").iterdir() if path.name.endswith(".tmp")] == []


def test_killed_process_leaves_nothing_that_is_loaded(tmp_path: Path) -> None:
    killed = start(tmp_path)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "prepared").glob("*")) and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    output, errors = start(tmp_path).communicate(timeout=120)
    options = datasets.DATASETS["synthetic"].Options(
        local_data_folder=tmp_path / "fresh", synthetic_users=3000, synthetic_length=60
    )
    assert output.strip() == str(datasets.load("synthetic", options).items[:5].tolist()), errors
