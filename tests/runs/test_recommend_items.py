"""Command recommend: which items may be recommended, and why users get nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from served_runs import USERS, make_run, purchases

import main

OUTPUT = ["--output", "recommendations.parquet", "--overwrite", "true"]
WANTED = ["item 03", "item 07", "item 11", "item 19"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs of this module."""
    return tmp_path_factory.mktemp("items")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def recommend(runs: Path, *argv: object, code: str = "vae") -> int:
    given = ["--mode", "recommend", "--pretrained_weights", make_run(runs, code), *OUTPUT, *argv]
    return main.run([str(word) for word in given])


def read(runs: Path, *argv: object, code: str = "vae") -> pd.DataFrame:
    """The table that a command writes."""
    assert recommend(runs, *argv, code=code) == 0
    return pd.read_parquet("recommendations.parquet")


def test_lists_have_only_the_items_asked_for(runs: Path) -> None:
    Path("stock.csv").write_text("price,item_id\n" + "".join(f"3,{item}\n" for item in WANTED))
    Path("sold_out.txt").write_text("item 07\n item 02 \n")
    all_ranked = read(runs, "--users", "all", "--topk", 99)
    for argv, kept in (
        (["--items", "stock.csv"], lambda item: item in WANTED),
        (["--exclude_items", "sold_out.txt"], lambda item: item not in ("item 07", "item 02")),
        (
            ["--items", "stock.csv", "--exclude_items", "sold_out.txt"],
            lambda item: item in WANTED and item != "item 07",
        ),
    ):
        expected = all_ranked[all_ranked["item"].map(kept)]
        found = read(runs, "--users", "all", "--topk", 99, *argv)
        pd.testing.assert_frame_equal(
            found[["user", "item", "score"]], expected[["user", "item", "score"]].reset_index(drop=True)
        )
        assert found["rank"].max() == expected.groupby("user").size().max()
        few = read(runs, "--users", "all", "--topk", 2, *argv)
        assert few.equals(found[found["rank"] <= 2].reset_index(drop=True))


def test_popular_items_are_limited_as_well(runs: Path) -> None:
    Path("new.txt").write_text("user,item\na,odd\nb,odder\n")
    Path("stock.txt").write_text("\n".join(WANTED))
    argv = ["--histories", "new.txt", "--items", "stock.txt", "--empty_histories", "popular"]
    found = read(runs, *argv, "--topk", 3)
    assert found["user"].tolist() == ["a"] * 3 + ["b"] * 3 and set(found["item"]) <= set(WANTED)


def test_unknown_items_are_warned_of(
    runs: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("stock.txt").write_text("item 03\nnew 1\nnew 2\n")
    assert set(read(runs, "--users", "all", "--items", "stock.txt")["item"]) == {"item 03"}
    assert "2 of 3 items are not in the training data" in caplog.text and "new 1, new 2" in caplog.text
    Path("stock.txt").write_text("new 1\n")
    assert recommend(runs, "--users", "all", "--items", "stock.txt") == 1
    assert "lists no item of the training data" in capsys.readouterr().err
    Path("stock.txt").write_text("item 03\n")
    assert recommend(runs, "--users", "all", "--items", "stock.txt", "--exclude_items", "stock.txt") == 1
    assert "leave no item to recommend" in capsys.readouterr().err


def test_why_nothing_is_recommended_is_said(
    runs: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    bought = purchases()[purchases()["user"] == "u07"]["item"]
    Path("some.txt").write_text("u07\n")
    Path("stock.txt").write_text("\n".join(bought))
    argv = ["--users", "some.txt", "--items", "stock.txt"]
    assert len(read(runs, *argv, "--filter_seen", "true")) == 0
    assert "1 of 1 users get nothing, as they have seen all items that may be recommended" in caplog.text
    assert "0 rows for 0 of 1 users" in capsys.readouterr().out
    assert len(read(runs, *argv, "--filter_seen", "false")) == bought.nunique()
    found = read(runs, "--users", "all", "--items", "stock.txt", "--filter_seen", "true", "--topk", 1)
    assert f"{len(found)} rows for {len(found)} of {USERS} users" in capsys.readouterr().out


@pytest.mark.parametrize("which", ["--users", "--items"])
def test_a_table_without_columns_is_refused(runs: Path, which: str, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame(index=[1, 2]).to_parquet("empty.parquet", index=False)
    argv = ["--users", "all"] if which == "--items" else []
    assert recommend(runs, *argv, which, "empty.parquet") == 1
    assert "the table has no columns" in capsys.readouterr().err


def test_every_written_id_can_be_given_back(runs: Path) -> None:
    """Ids with blanks, as numbers, and as bytes."""
    found = read(runs, "--users", "all", "--topk", 1)
    for name in ("back.parquet", "back.csv"):
        getattr(found, f"to_{name.rpartition('.')[2]}")(name, index=False)
        again = read(runs, "--users", name, "--items", name, "--topk", 1)
        assert again["user"].tolist() == found["user"].tolist()
    found.assign(user=found["user"].str.encode("utf-8")).to_parquet("bytes.parquet")
    assert read(runs, "--users", "bytes.parquet", "--topk", 1)["user"].tolist() == found["user"].tolist()
