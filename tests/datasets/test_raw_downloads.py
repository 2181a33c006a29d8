"""Downloads from a local HTTP server that fails in the ways that real servers do."""

import gzip
import hashlib
import logging
import os
import socket
import time
from pathlib import Path
from typing import Any

import gdown
import pytest
from plain_forms import histories
from raw_server import GOOD, RATINGS, Server, zipped
from samples import SAMPLES

import datasets
from common.errors import UserError
from datasets import download as module
from datasets.download import Source
from datasets.ecommerce import Ecommerce
from datasets.movielens import MovieLens1M
from datasets.raw_files import RawFileOptions


def load(folder: Path, url: str | None = None) -> datasets.SequenceData:
    options = RawFileOptions(local_data_folder=folder, dataset_url=url, min_uc=0, min_sc=0)
    return datasets.load("ml-1m", options)


def files(folder: Path) -> list[str]:
    """All raw files in the data folder."""
    return sorted(path.name for path in folder.glob("ml-1m/**/*"))


@pytest.mark.parametrize("path", ["good.zip", "plain", "gz", "moved", "second"])
def test_downloads_are_used(server: Server, tmp_path: Path, path: str) -> None:
    data = load(tmp_path, server.url(path))
    assert data.num_interactions == 36
    assert files(tmp_path) == ["ratings.dat"]


def test_second_load_downloads_nothing(server: Server, tmp_path: Path) -> None:
    load(tmp_path, server.url("good.zip"))
    load(tmp_path, server.url("good.zip"))
    load(tmp_path)
    assert server.asked == {"good.zip": 1}


@pytest.mark.parametrize(
    ("path", "reason", "asked"),
    [
        ("missing", "HTTP 404 Not Found", 1),
        ("broken", "HTTP 503 Service Unavailable, 3 times", 3),
        ("page", "web page", 1),
        ("nothing", "empty file", 1),
        ("malformed", "its response is malformed", 1),
        ("short", "the connection failed .*IncompleteRead|the connection failed .*broken", 3),
        ("stall", "the connection failed .*timed out", 3),
    ],
)
def test_failed_download_is_reported_and_leaves_no_files(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, reason: str, asked: int
) -> None:
    if path == "stall":
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(UserError, match=reason) as caught:
        load(tmp_path, server.url(path))
    message = str(caught.value)
    assert server.url(path) in message
    assert f"Put ratings.dat (or a zip that contains it) into {tmp_path / 'ml-1m'}/" in message
    assert "--dataset_code synthetic" in message
    assert "--dataset_code file" in message
    assert server.asked[path] == asked
    assert not (tmp_path / "ml-1m").exists()


def test_errors_do_not_name_the_temporary_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.files["half"] = GOOD[: len(GOOD) // 2]
    with pytest.raises(UserError, match=": the downloaded file is a damaged archive") as caught:
        load(Path("Data"), server.url("half"))
    assert str(tmp_path) not in str(caught.value)


WRONG = {
    "json": (b'{"error": "rate limited"}', "the downloaded file contains JSON"),
    "7z": (b"7z\xbc\xaf\x27" + bytes(100), "the downloaded file is an archive"),
    "no entries": (b"PK\x05\x06" + bytes(18), "the downloaded file doesn't contain ratings.dat"),
    "half a row": (RATINGS[:-33].encode(), "the downloaded file, row 35: expected 4 fields, found 2"),
    "another table": (b"1,2,3,4\n", "the downloaded file, line 1: expected 4 fields separated by '::', found 1"),
    "names": (b"user::item::rating::timestamp\n", "the downloaded file, row 1: the item id 'item' is not an integer"),
    "zipped": (zipped(content="not found\n"), ": ratings.dat, line 1: expected 4 fields .* found 1"),
    "gzipped": (gzip.compress(b"1::2::3::yesterday\n"), ": ratings.dat, row 1: .*yesterday"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_downloads_are_not_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server.files["wrong"], reason = WRONG[name]
    with pytest.raises(UserError, match=reason):
        load(tmp_path, server.url("wrong"))
    assert not (tmp_path / "ml-1m").exists()
    monkeypatch.setattr(MovieLens1M, "sources", (Source(server.url("wrong")), Source(server.url("good.zip"))))
    assert load(tmp_path).num_interactions == 36
    assert files(tmp_path) == ["ratings.dat"]


def test_ignored_dataset_url_is_logged(server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    load(tmp_path, server.url("good.zip"))
    assert "remove the file" not in caplog.text
    load(tmp_path, server.url("plain"))
    assert caplog.text.count("ratings.dat exists, so dataset_url is ignored: remove the file") == 1
    assert server.asked == {"good.zip": 1}


def test_interrupted_transfer_is_retried(server: Server, tmp_path: Path) -> None:
    assert load(tmp_path, server.url("short-once")).num_interactions == 36
    assert server.asked == {"short-once": 2}


def test_sources_are_tried_in_order(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = "md5:" + hashlib.md5(GOOD).hexdigest()
    sources = (
        Source("https://example.invalid/x.zip", needs="an account"),
        Source(server.url("missing")),
        Source(server.url("other"), checksum),
        Source(server.url("good.zip"), checksum),
        Source(server.url("plain")),
    )
    monkeypatch.setattr(MovieLens1M, "sources", sources)
    assert load(tmp_path).num_interactions == 36
    assert server.asked == {"missing": 1, "other": 3, "good.zip": 1}


def test_stalled_source_falls_back_to_the_next(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    monkeypatch.setattr(MovieLens1M, "sources", (Source(server.url("stall")), Source(server.url("good.zip"))))
    assert load(tmp_path).num_interactions == 36
    assert server.asked["stall"] == 2


def test_all_failures_are_listed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = (
        Source("https://example.invalid/x.zip", needs="an account"),
        Source(server.url("missing")),
        Source(server.url("other"), "sha256:" + "0" * 64),
    )
    monkeypatch.setattr(MovieLens1M, "sources", sources)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    for part in ("needs an account", "HTTP 404", "its declared checksum is wrong"):
        assert part in str(caught.value)


def test_refused_connection_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(UserError, match="Connection refused"):
            load(tmp_path, f"http://127.0.0.1:{port}/x.zip")


@pytest.mark.parametrize("url", ["ftp://host/file", "/etc/passwd", "file:///etc/passwd"])
def test_other_url_schemes_are_rejected(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="a source must be http"):
        load(tmp_path, url)


def test_endless_downloads_are_stopped(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 100)
    with pytest.raises(UserError, match="larger than any dataset"):
        load(tmp_path, server.url("plain"))


def test_online_retail_falls_back_on_google_drive(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When UCI's copies are gone, gdown fetches the zip; here from the local server in place of Google's."""
    sample = next(sample for sample in SAMPLES if sample.code == "ecommerce" and sample.name.endswith(".zip"))
    fetch = gdown.download

    def from_server(*, id: str, output: str, **given: Any) -> object:
        return fetch(server.url(id), output, **given)

    monkeypatch.setattr(gdown, "download", from_server)
    drive = [source for source in Ecommerce.sources if source.url.startswith("gdrive:")]
    path = drive[0].url.removeprefix("gdrive:")
    server.files[path] = sample.content
    gone = [Source(server.url("missing")) for source in Ecommerce.sources if "archive.ics.uci.edu" in source.url]
    monkeypatch.setattr(Ecommerce, "sources", (*gone, *drive))
    options = Ecommerce.Options(local_data_folder=tmp_path, min_uc=0, min_sc=0)
    assert histories(datasets.load("ecommerce", options)) == sample.histories
    assert server.asked == {"missing": 2, path: 1}


def test_gdrive_sources_go_through_gdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def give(*, id: str, output: str, **_: Any) -> str:
        asked.append(id)
        Path(output).write_bytes(GOOD)
        return output

    monkeypatch.setattr(gdown, "download", give)
    assert load(tmp_path, "gdrive:abc123").num_interactions == 36
    assert asked == ["abc123"]


def test_gdrive_failures_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)

    def fail(**_: Any) -> str:
        raise gdown.exceptions.FileURLRetrievalError("Too many users have viewed it\nmore")

    monkeypatch.setattr(gdown, "download", fail)
    with pytest.raises(UserError, match="Too many users"):
        load(tmp_path, "gdrive:abc123")


def test_progress_is_shown_on_a_terminal(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    load(tmp_path, server.url("good.zip"))
    assert "100%" in capsys.readouterr().err


def test_leftover_downloads_of_killed_runs_are_removed_later(server: Server, tmp_path: Path) -> None:
    old, new = tmp_path / "ml-1m" / ".download-old", tmp_path / "ml-1m" / ".download-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    load(tmp_path, server.url("good.zip"))
    assert not old.exists()
    assert new.exists()


def test_old_partial_files_are_removed_next_to_the_raw_file(server: Server, tmp_path: Path) -> None:
    load(tmp_path, server.url("good.zip"))
    old, new, other = (tmp_path / "ml-1m" / name for name in (".ratings.dat.a.tmp", ".ratings.dat.b.tmp", ".mine.tmp"))
    for path in (old, new, other):
        path.write_text("half")
    long_ago = time.time() - 2 * 24 * 3600
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    load(tmp_path)
    assert not old.exists()
    assert new.exists()
    assert other.exists()  # not a file of this program
