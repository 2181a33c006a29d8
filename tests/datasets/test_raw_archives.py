"""Archives in the data folder are unpacked, but not trusted."""

import gzip
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import datasets
from common.errors import UserError
from datasets import archives
from datasets.raw_files import RawFileOptions

RATINGS = "".join(f"{user}::{item}::3::{978300000 + item}\n" for user in range(1, 4) for item in range(1, 4))


def put(folder: Path, name: str, content: bytes) -> None:
    path = folder / "ml-1m" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def load(folder: Path) -> datasets.SequenceData:
    return datasets.load("ml-1m", RawFileOptions(local_data_folder=folder, min_uc=0, min_sc=0, dataset_url="none:"))


def make_zip(name: str, content: str = RATINGS, mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ratings.dat", RATINGS.encode()),
        ("ml-1m/ratings.dat", RATINGS.encode()),
        ("ratings.dat.gz", gzip.compress(RATINGS.encode(), mtime=0)),
        ("ml-1m.zip", make_zip("ml-1m/ratings.dat")),
        ("from windows.zip", make_zip("ml-1m\\ratings.dat")),
        ("upper.zip", make_zip("RATINGS.DAT")),
    ],
)
def test_files_in_the_folder_are_used(tmp_path: Path, name: str, content: bytes) -> None:
    put(tmp_path, name, content)
    data = load(tmp_path)
    assert data.num_interactions == 9
    put(tmp_path / "plain", "ratings.dat", RATINGS.encode())
    assert data.hash == load(tmp_path / "plain").hash


def test_raw_file_takes_precedence_over_the_archive(tmp_path: Path) -> None:
    put(tmp_path, "ml-1m.zip", make_zip("ratings.dat"))
    put(tmp_path, "ratings.dat", b"1::1::1::1\n")
    assert load(tmp_path).num_interactions == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_zip("../../ratings.dat"), "points outside"),
        (make_zip("/etc/ratings.dat"), "points outside"),
        (make_zip("C:\\ratings.dat"), "points outside"),
        (make_zip("ratings.dat", "/etc/passwd", stat.S_IFLNK | 0o777), "link"),
        (make_zip("ratings.dat", "0" * 400_000_000), "would unpack to"),
        (make_zip("ratings.dat").replace(b"ratings.dat", b"ratings.dat", 1)[:-10] + bytes(10), "raw data"),
    ],
    ids=["dots", "absolute", "drive", "link", "bomb", "no directory"],
)
def test_unsafe_archives_are_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    put(tmp_path, "ml-1m.zip", content)
    with pytest.raises(UserError, match=reason):
        load(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ml-1m.zip"]


def damaged_zip() -> bytes:
    content = bytearray(make_zip("ratings.dat"))
    content[60] ^= 255
    return bytes(content)


def misnamed_zip() -> bytes:
    """The name in the entry itself is not UTF-8, unlike that in the list of entries."""
    return make_zip("\xe9/ratings.dat").replace(b"\xc3\xa9", b"\xff\xff", 1)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("ml-1m.zip", damaged_zip),
        ("ml-1m.zip", misnamed_zip),
        ("ratings.dat.gz", lambda: gzip.compress(RATINGS.encode(), mtime=0)[:-9]),
        ("ratings.dat.gz", lambda: b"\x1f\x8b" + bytes(30)),
    ],
)
def test_damaged_archive_is_named(tmp_path: Path, name: str, make: Callable[[], bytes]) -> None:
    put(tmp_path, name, make())
    with pytest.raises(UserError, match=f"{name} is a damaged archive"):
        load(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]


@pytest.mark.parametrize(("place", "damage"), [(6, b"\x63"), (46, b"\xff")], ids=["version", "name"])
def test_zip_with_damaged_entry_list_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: int, damage: bytes
) -> None:
    content = bytearray(make_zip("\xe9/ratings.dat"))
    start = content.index(b"PK\x01\x02") + place
    content[start : start + len(damage)] = damage
    put(tmp_path, "ml-1m.zip", bytes(content))
    with pytest.raises(UserError, match=r"Put ratings\.dat"):
        load(tmp_path)
    assert "ml-1m.zip is ignored, as it is damaged or not a zip file" in caplog.text


def test_gzip_bomb_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 1 << 20)
    put(tmp_path, "ratings.dat.gz", gzip.compress(bytes(50_000_000), mtime=0))
    with pytest.raises(UserError, match="unpacks to more than"):
        load(tmp_path)
    assert not (tmp_path / "ml-1m" / "ratings.dat").exists()


def test_other_archives_are_ignored(tmp_path: Path) -> None:
    put(tmp_path, "other.zip", make_zip("movies.dat"))
    with pytest.raises(UserError, match=r"Put ratings\.dat"):
        load(tmp_path)
    assert (tmp_path / "ml-1m" / "other.zip").exists()
