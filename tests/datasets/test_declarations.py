"""Every declared dataset with a small file in its real format, from an unreliable server."""

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
from plain_forms import histories
from pydantic import ValidationError
from raw_server import Server
from samples import SAMPLES, Sample, zipped

import datasets
import main
from common.errors import UserError
from datasets import download
from datasets.download import Source
from datasets.raw_files import RawFile, RawFileDataset, RawFileOptions, TableDataset
from datasets.raw_tables import Table
from datasets.sequence_data import SequenceData
from runs.commands.datasets import on_disk

PUBLISHED = {code: dataset for code, dataset in datasets.DATASETS.items() if issubclass(dataset, RawFileDataset)}
Serve = Callable[[Sample, list[Source]], None]

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)


@pytest.fixture
def serve(server: Server, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Put a sample on the server and replace the dataset's sources; each source is tried once."""
    monkeypatch.setattr(download, "ATTEMPTS", 1)

    def put(sample: Sample, sources: list[Source]) -> None:
        server.files[sample.name] = sample.content
        dataset = PUBLISHED[sample.code]
        real = dataset.declaration

        def declaration(self: Any, options: Any) -> RawFile:
            return dataclasses.replace(real(self, options), sources=tuple(sources))

        monkeypatch.setattr(dataset, "declaration", declaration)

    return put


def options_of(sample: Sample, folder: Path, **given: Any) -> Any:
    made = {"min_uc": 0, "min_sc": 0, "local_data_folder": folder, **sample.options, **given}
    return PUBLISHED[sample.code].Options(**made)


def load(sample: Sample, folder: Path, **given: Any) -> SequenceData:
    return datasets.load(sample.code, options_of(sample, folder, **given))


def raw_files(folder: Path, code: str) -> list[str]:
    return sorted(path.name for path in (folder / code).rglob("*") if path.is_file())


def check(data: SequenceData, sample: Sample) -> None:
    assert histories(data) == sample.histories
    if sample.first is None:
        assert data.timestamps is None
    else:
        assert data.timestamps is not None
        assert data.timestamps[0] == sample.first
    if sample.ratings is None:
        assert data.ratings is None
    else:
        assert data.ratings is not None
        assert data.ratings.tolist() == sample.ratings
    assert data.repeat_consumption is PUBLISHED[sample.code].repeat_consumption


def test_every_dataset_has_a_sample() -> None:
    assert {sample.code for sample in SAMPLES} == set(PUBLISHED)


@each_sample
def test_dead_sources_are_passed_over(server: Server, serve: Serve, tmp_path: Path, sample: Sample) -> None:
    checksum = "sha256:" + hashlib.sha256(sample.content).hexdigest()
    bad = ["gone", "broken", "page", "nothing", "other", f"short/{sample.name}"]
    serve(sample, [*(Source(server.url(path), checksum) for path in bad), Source(server.url("moved/" + sample.name))])
    check(load(sample, tmp_path), sample)
    assert raw_files(tmp_path, sample.code) == [sample.raw]
    assert server.asked == {**dict.fromkeys(bad, 1), "moved/" + sample.name: 1, sample.name: 1}
    check(load(sample, tmp_path), sample)
    assert server.asked[sample.name] == 1


@each_sample
def test_a_file_in_the_folder_is_used(serve: Serve, tmp_path: Path, sample: Sample) -> None:
    serve(sample, [])
    folder = tmp_path / PUBLISHED[sample.code]().declaration(options_of(sample, tmp_path)).folder
    folder.mkdir(parents=True)
    (folder / sample.name).write_bytes(sample.content)
    check(load(sample, tmp_path), sample)


@each_sample
def test_every_failed_source_is_reported(server: Server, serve: Serve, tmp_path: Path, sample: Sample) -> None:
    needy = Source("https://example.invalid/x", needs="an account")
    serve(sample, [Source(server.url("gone")), Source(server.url("page")), needy])
    with pytest.raises(UserError) as caught:
        load(sample, tmp_path)
    message = str(caught.value)
    home = PUBLISHED[sample.code].home
    for part in ("HTTP 404", "web page", "needs an account", sample.raw, "--dataset_url", home):
        assert part in message
    assert list(tmp_path.iterdir()) == []


def packed(sample: Sample) -> bool:
    return sample.content[:2] in (b"PK", b"\x1f\x8b")


@pytest.mark.parametrize("sample", [*filter(packed, SAMPLES)], ids=str)
def test_truncated_archive_is_rejected(server: Server, serve: Serve, tmp_path: Path, sample: Sample) -> None:
    """If a server sends a truncated file as if it were complete, the next source is tried."""
    server.files["half"] = sample.content[: len(sample.content) * 2 // 3]
    serve(sample, [Source(server.url("half"))])
    with pytest.raises(UserError, match="the downloaded file is a damaged archive"):
        load(sample, tmp_path)
    assert list(tmp_path.iterdir()) == []
    serve(sample, [Source(server.url("half")), Source(server.url(sample.name))])
    check(load(sample, tmp_path), sample)


@pytest.mark.parametrize("sample", [*filter(packed, SAMPLES)], ids=str)
def test_wrong_archive_is_rejected(server: Server, serve: Serve, tmp_path: Path, sample: Sample) -> None:
    server.files["another"] = zipped(**{"other.txt": "1,2,3\n"})
    serve(sample, [Source(server.url("another")), Source(server.url(sample.name))])
    check(load(sample, tmp_path), sample)


@pytest.mark.parametrize("code", PUBLISHED)
def test_sources_are_plausible(code: str) -> None:
    dataset = PUBLISHED[code]
    samples = [sample for sample in SAMPLES if sample.code == code]
    for sample in samples:
        wanted = dataset().declaration(options_of(sample, Path("Data")))
        assert wanted.sources
        assert wanted.folder.parts[0] == code
        for source in wanted.sources:
            assert source.checksum is None or source.checksum.startswith(("md5:", "sha256:"))
            if source.url.startswith("gdrive:"):
                assert re.fullmatch(r"gdrive:[\w-]{25,}", source.url)
                continue
            assert source.url.startswith("https://")
            name = PurePosixPath(urlsplit(source.url).path).name
            if not source.needs:
                assert name.endswith((".zip", ".xlsx")) or name.removesuffix(".gz") in wanted.names


def test_amazon_ratings_with_kaggles_header(tmp_path: Path) -> None:
    sample = next(sample for sample in SAMPLES if sample.code == "beauty")
    (tmp_path / "beauty").mkdir()
    content = b"UserId,ProductId,Rating,Timestamp\n" + sample.content
    (tmp_path / "beauty" / "ratings_Beauty.csv").write_bytes(content)
    check(load(sample, tmp_path), sample)


def test_names_distinguish_versions(tmp_path: Path) -> None:
    named = {str(sample): PUBLISHED[sample.code]().name(options_of(sample, tmp_path)) for sample in SAMPLES}
    assert named["amazon-2023-All_Beauty-5core"] == "amazon-2023-All_Beauty"
    assert named["amazon-2023-All_Beauty-0core"] == "amazon-2023-All_Beauty-0core"
    assert named["steam-sasrec"] == "steam-sasrec"
    with pytest.raises(ValueError, match="amazon_category"):
        PUBLISHED["amazon-2023"].Options(amazon_category="../../etc")


BROKEN = {
    "no literal": ("steam_reviews.json", b"{u'username': }\n", "line 1: not a Python literal"),
    "no dict": ("steam_reviews.json", b"[1, 2]\n", "line 1: not a dict"),
    "a call": ("steam_reviews.json", b"{u'username': __import__('os').getcwd()}\n", "line 1"),
    "deep": ("steam_reviews.json", b"[" * 100_000 + b"\n", "line 1: not a Python literal"),
    "no key": (
        "steam_reviews.json",
        b"{u'username': u'a', u'date': u'2001-01-01'}\n",
        "line 1: key 'product_id' is missing",
    ),
    "a list": (
        "steam_reviews.json",
        b"{u'username': [], u'product_id': u'1', u'date': u''}\n",
        r"line 1: expected text or a number, found \[\]",
    ),
    "second line": ("steam_reviews.json", b"{'username': 'a', 'product_id': '1', 'date': '2001-01-01'}\n}\n", "line 2"),
    "bad date": (
        "steam_reviews.json",
        b"{'username': 'a', 'product_id': '1', 'date': 'soon'}\n",
        "'soon' is not a time",
    ),
    "bytes": ("steam_reviews.json", b"\xff\xfe\n", "line 1"),
}


@pytest.mark.parametrize(("name", "content", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_malformed_review_lines_are_rejected(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / "steam").mkdir()
    (tmp_path / "steam" / name).write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        datasets.load("steam", PUBLISHED["steam"].Options(local_data_folder=tmp_path, dataset_url="none:"))
    assert name in str(caught.value)


def test_steam_players_may_have_any_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Surrogate pairs of Python 2 are joined; rows whose name can't be an id are dropped and counted."""
    names = [r"\ud83d\ude00", r"a\ud83d", "NULL", r"\u2655", "nan"]
    lines = "".join(f"{{u'username': u'{name}', u'product_id': u'5', u'date': u'2001-01-01'}}\n" for name in names)
    (tmp_path / "steam").mkdir()
    (tmp_path / "steam" / "steam_reviews.json").write_text(lines)
    given = PUBLISHED["steam"].Options(local_data_folder=tmp_path, min_uc=0, min_sc=0)
    assert set(histories(datasets.load("steam", given))) == {"😀", "a\ufffd", "♕"}
    assert "dropped 2 bad rows" in caplog.text


def test_unknown_event_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "retailrocket").mkdir()
    header = "timestamp,visitorid,event,itemid,transactionid\n"
    (tmp_path / "retailrocket" / "events.csv").write_text(header + f"{10**12},1,view,2,\n{10**12},1,wink,2,\n")
    with pytest.raises(UserError, match=r"line 3: unknown event 'wink'"):
        datasets.load("retailrocket", PUBLISHED["retailrocket"].Options(local_data_folder=tmp_path))


@pytest.mark.usefixtures("loggers_as_before")
def test_only_code_names_sources_and_table_are_required(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Bare(TableDataset[RawFileOptions]):
        code = "bare"
        description = "a dataset without licence, citation, home page, size and sources"
        raw_names = ("bare.csv",)
        sources = ()
        table = Table(",", ("user", "item"))

    with pytest.raises(UserError, match=r"no source of it is known\nPut bare.csv .* into .*bare/"):
        Bare().load(RawFileOptions(local_data_folder=tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(datasets.DATASETS, "bare", Bare)
        assert main.run(["--mode", "datasets", "--local_data_folder", str(tmp_path)]) == 0
    assert "bare" in capsys.readouterr().out
    assert on_disk(Bare, tmp_path) == "no; no source is known"
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "bare.csv").write_text("1,2\n1,3\n")
    assert Bare().load(RawFileOptions(local_data_folder=tmp_path, min_uc=0, min_sc=0)).num_items == 2


def test_table_needs_user_and_item() -> None:
    with pytest.raises(TypeError, match=r"Lacking\.table needs a column named 'item'"):

        class Lacking(TableDataset[RawFileOptions]):
            table = Table(",", ("user", "rating"))


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("https://me:secret@host/x.zip", "netrc"),
        ("https://host/a:b@c", None),
        ("https://host/x.zip?a=1&X-Amz-Signature=12", "access token"),
        ("https://host/x.zip?format=token", None),
    ],
)
def test_dataset_url_must_not_have_a_password(url: str, refusal: str | None) -> None:
    with pytest.raises(ValidationError, match=refusal) if refusal else contextlib.nullcontext():
        RawFileOptions(dataset_url=url)
