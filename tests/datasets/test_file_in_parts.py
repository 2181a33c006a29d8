"""Datasets of several files: a folder or a pattern; and files packed by other programs than gzip."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datasets
from common.errors import UserError
from datasets.file import File
from datasets.file_options import FileOptions
from datasets.sequence_data import SequenceData

HEADER = "user,item,timestamp\n"
RAW = {"min_uc": 0, "min_sc": 0}


def lines(seed: int, prefix: str = "") -> list[str]:
    """Rows with ties, repeats and users in several parts."""
    random = np.random.default_rng(seed)
    columns = [random.integers(1, 12, 50), random.integers(1, 30, 50), random.integers(0, 40, 50)]
    return [f"{prefix}{user},{item},{16 * 10**8 + time}\n" for user, item, time in zip(*columns, strict=True)]


def load(path: Path, folder: Path, **options: object) -> SequenceData:
    return datasets.load(
        "file", FileOptions(dataset_path=path, local_data_folder=folder / "Data", **{**RAW, **options})
    )


@pytest.mark.parametrize("prefix", ["", "u"])
@pytest.mark.parametrize("limit", [None, "1GB"])
def test_parts_are_read_as_one_file(tmp_path: Path, prefix: str, limit: str | None) -> None:
    parts = [lines(0), lines(1, prefix), lines(2)]  # ids become text if those of one part are
    (tmp_path / "whole.csv").write_text(HEADER + "".join(map("".join, parts)))
    logs = tmp_path / "logs"
    (logs / "2024").mkdir(parents=True)
    for number, part in enumerate(parts):
        (logs / "2024" / f"part-{number}.csv").write_text(HEADER + "".join(part))
    (logs / "_SUCCESS").touch()
    (logs / ".part-0.csv.crc").touch()
    whole = load(tmp_path / "whole.csv", tmp_path)
    for path in (logs, logs / "2024" / "part-*.csv", logs / "**" / "*.csv"):
        data = load(path, tmp_path / path.name.strip("*"), memory_limit=limit)
        assert data.hash == whole.hash
        assert data.name == ("2024" if path.name == "part-*.csv" else "logs")
        assert data.funnel[0].rows == 150


def test_changed_parts_are_prepared_again(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.csv").write_text(HEADER + "".join(lines(number)))
    pattern = tmp_path / "?.csv"
    assert load(pattern, tmp_path).num_interactions == 100
    (tmp_path / "2.csv").write_text(HEADER + "".join(lines(2)))
    assert load(pattern, tmp_path).num_interactions == 150


def test_errors_name_the_part_and_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "".join(lines(0)))
    (tmp_path / "b.csv").write_text(HEADER + "1,2,1600000000\n3,4\n")
    with pytest.raises(UserError, match=r"b\.csv, line 3: expected 3 fields, found 2"):
        load(tmp_path / "*.csv", tmp_path)
    (tmp_path / "b.csv").write_text("user,item\n1,2\n")
    with pytest.raises(UserError, match=r"b\.csv has the columns user, item, but .*a\.csv has user, item, timestamp"):
        load(tmp_path / "*.csv", tmp_path)


def test_missing_and_mixed_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\*\.csv: no file matches this pattern"):
        load(tmp_path / "*.csv", tmp_path)
    with pytest.raises(UserError, match="the folder has no files"):
        load(tmp_path, tmp_path)
    (tmp_path / "a.csv").write_text(HEADER)
    (tmp_path / "README.md").write_text("# Log")
    with pytest.raises(UserError, match=r"different kinds \(README\.md, a\.csv\): give e\.g\. "):
        load(tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"dataset_path .*none\.csv: no such file$"):
        load(tmp_path / "none.csv", tmp_path)


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(("suffix", "packed"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", zstd)])
def test_packed_files(tmp_path: Path, suffix: str, packed: Callable[[bytes], bytes]) -> None:
    content = (HEADER + "".join(lines(0))).encode()
    (tmp_path / "plain.csv").write_bytes(content)
    path = tmp_path / f"mine.csv{suffix}"
    path.write_bytes(packed(content))
    data = load(path, tmp_path)
    assert data.hash == load(tmp_path / "plain.csv", tmp_path).hash
    assert data.name == "mine"
    path.write_bytes(packed(content)[:-9])
    with pytest.raises(UserError, match=r"damaged or truncated (gzip|bzip2|zstd) file"):
        load(path, tmp_path)


def test_bombs_are_refused_however_they_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.readers.text.HARMLESS_BYTES", 1 << 16)
    for suffix, packed in ((".gz", gzip.compress), (".bz2", bz2.compress), (".zst", zstd)):
        path = tmp_path / f"bomb.csv{suffix}"
        path.write_bytes(packed(HEADER.encode() + b"1,2,1600000000\n" * 100_000))
        with pytest.raises(UserError, match="unpacks to more than 100 times its size"):
            load(path, tmp_path)


def test_limited_memory_gives_the_same_data(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = {"user": random.integers(0, 9, 300), "item": random.integers(0, 9, 300), "rating": random.random(300)}
    pq.write_table(pa.table({**table, "timestamp": random.integers(0, 99, 300) + 10**9}), tmp_path / "a.parquet")
    plain = load(tmp_path / "a.parquet", tmp_path, min_uc=30, min_sc=20)
    limited = load(tmp_path / "a.parquet", tmp_path / "other", min_uc=30, min_sc=20, memory_limit="512 MB")
    assert (limited.hash, limited.funnel) == (plain.hash, plain.funnel)
    assert list((tmp_path / "other" / "Data" / "prepared" / "scratch").iterdir()) == []
    options = FileOptions(dataset_path=tmp_path / "a.parquet", memory_limit="512 MB")
    assert File().cache_key(options) == File().cache_key(FileOptions(dataset_path=tmp_path / "a.parquet"))
