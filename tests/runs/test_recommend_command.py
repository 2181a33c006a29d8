"""Command recommend: which items each user gets, with original ids, and errors."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from served_runs import ITEMS, USERS, data_of, make_run, purchases

import main
from models import MODELS, FittedModel

CODES = sorted(MODELS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs of this module."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def vae(runs: Path) -> Path:
    return make_run(runs, "vae")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def recommend(run: Path, *argv: object) -> int:
    output = [] if "--output" in argv else ["--output", "recommendations.parquet"]
    given = ["--mode", "recommend", "--pretrained_weights", run, *output, *argv]
    return main.run([str(word) for word in given])


def read(run: Path, *argv: object) -> pd.DataFrame:
    """The table that a command writes."""
    assert recommend(run, *argv, "--overwrite", "true") == 0
    return pd.read_parquet("recommendations.parquet")


@cache
def bought() -> dict[str, list[str]]:
    return {str(user): rows["item"].tolist() for user, rows in purchases().groupby("user")}


def test_every_user_gets_its_best_items(vae: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read(vae, "--users", "all", "--topk", 4)
    assert list(found.columns) == ["user", "item", "score", "rank"]
    assert found["user"].tolist() == [user for user in sorted(bought()) for _ in range(4)]
    assert found["rank"].tolist() == [1, 2, 3, 4] * USERS
    assert set(found["item"]) <= set(purchases()["item"])
    assert (found.groupby("user")["score"].diff().dropna() <= 0).all()
    assert not found.duplicated(["user", "item"]).any()
    shown = capsys.readouterr().out
    assert f"{4 * USERS} rows for {USERS} of {USERS} users" in shown and "users per second" in shown


def test_csv_holds_the_same_rows(vae: Path) -> None:
    found = read(vae, "--users", "all")
    assert recommend(vae, "--users", "all", "--output", "lists.csv") == 0
    other = pd.read_csv("lists.csv")
    assert other["user"].tolist() == found["user"].tolist() and other["item"].tolist() == found["item"].tolist()
    np.testing.assert_allclose(other["score"], found["score"], rtol=1e-6)


def test_batches_change_nothing(vae: Path) -> None:
    whole, few = read(vae, "--users", "all"), read(vae, "--users", "all", "--batch_size", 1)
    assert whole[["user", "item", "rank"]].equals(few[["user", "item", "rank"]])


def test_lists_agree_with_the_evaluation(runs: Path) -> None:
    """With the input of the test set, a user's last item is in the list if it is a hit in the run's results."""
    run = make_run(runs, "itemknn", experiment_name="measured")
    found = read(run, "--users", "all", "--topk", 10, "--history", "test")
    lists = found.groupby("user")["item"].agg(set)
    measured = pd.read_parquet(run / "per_user.parquet").set_index("user")["full/HR@10"]
    assert {user: float(items[-1] in lists[user]) for user, items in bought().items()} == measured.to_dict()
    assert 0 < measured.mean() < 1


@pytest.mark.parametrize("history", ["all", "train", "test"])
def test_seen_items_are_those_of_the_history(vae: Path, history: str) -> None:
    found = read(vae, "--users", "all", "--filter_seen", "true", "--topk", 99, "--history", history)
    hidden = {"all": 0, "train": 2, "test": 1}[history]
    for user, items in bought().items():
        seen = set(items[: len(items) - hidden])
        assert set(found[found["user"] == user]["item"]) == set(data_items()) - seen, user


def data_items() -> list[str]:
    return sorted(set(purchases()["item"]))


def test_seen_items_stay_with_repeat_consumption(vae: Path) -> None:
    found = read(vae, "--users", "all", "--topk", 99)
    assert (found.groupby("user").size() == len(data_items())).all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("some.txt", "u07\n\nu02\n u07\nu11\n"),
        ("some.csv", "age,user_id\n30,u07\n20,u02\n30,u07\n40,u11\n"),
        ("bare.csv", "u07\nu02\nu11\n"),
        ("some.parquet", ""),
    ],
)
def test_users_come_from_a_file_in_its_order(vae: Path, name: str, content: str) -> None:
    if name.endswith(".parquet"):
        pd.DataFrame({"age": [1, 2, 3], "user": ["u07", "u02", "u11"]}).to_parquet(name)
    else:
        Path(name).write_text(content)
    found = read(vae, "--users", name, "--topk", 3)
    assert found["user"].tolist() == ["u07"] * 3 + ["u02"] * 3 + ["u11"] * 3
    everyone = read(vae, "--users", "all", "--topk", 3)
    assert found[found["user"] == "u02"]["item"].tolist() == everyone[everyone["user"] == "u02"]["item"].tolist()


def test_numeric_ids_are_found_as_text() -> None:
    from runs.id_files import places_of  # noqa: PLC0415

    numbers, texts = np.array([5, 10, 20]), np.array(["10", "x", "5"])
    assert places_of(texts, numbers).tolist() == [1, -1, 0]
    assert places_of(numbers, texts).tolist() == [2, 0, -1]
    assert places_of(numbers[::-1], numbers).tolist() == [2, 1, 0]


def test_unknown_users_are_one_error(vae: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("some.txt").write_text("u01\n" + "".join(f"stranger{n}\n" for n in range(9)))
    assert recommend(vae, "--users", "some.txt") == 1
    message = capsys.readouterr().err
    assert (
        "9 users" in message
        and "stranger0, stranger1" in message
        and "and 4 more" in message
        and "stranger7" not in message
    )
    assert {path.name for path in Path().iterdir()} == {"some.txt"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--users", "nowhere.txt"], "no such file"),
        (["--users", "all", "--items", "nowhere.txt"], "no such file"),
        (["--users", "all", "--file_format", "lists"], "format of --histories"),
        ([], "either --users"),
        (["--users", "all", "--histories", __file__], "either --users"),
        (["--histories", __file__, "--history", "test"], "for users in the data"),
        (["--users", "all", "--output", "x.txt"], ".parquet or .csv"),
        (["--histories", "nowhere.csv"], "no such file"),
        (["--users", "all", "--dataset_path", "nowhere.csv"], "no such file"),
        (["--users", "all", "--latent_size", "3"], "does not use"),
    ],
)
def test_wrong_options_are_reported(
    vae: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recommend(vae, *argv) == 2
    assert message in capsys.readouterr().err


def test_an_output_is_not_overwritten_by_default(vae: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("recommendations.parquet").write_text("mine")
    assert recommend(vae, "--users", "all") == 1
    assert "--overwrite true" in capsys.readouterr().err
    assert Path("recommendations.parquet").read_text() == "mine"


def test_lists_go_to_the_run_s_folder(vae: Path) -> None:
    words = ["--mode", "recommend", "--pretrained_weights", str(vae), "--users", "all"]
    assert main.run(words) == 0
    file = vae / "recommendations.parquet"
    assert file.exists() and list(Path().iterdir()) == []
    file.unlink()


def test_a_folder_without_a_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--mode", "recommend", "--users", "all"]) == 2
    assert "--pretrained_weights" in capsys.readouterr().err
    assert recommend(Path("nowhere"), "--users", "all") == 2
    assert "there is no run at nowhere" in capsys.readouterr().err


def test_other_data_is_refused(runs: Path, vae: Path, capsys: pytest.CaptureFixture[str]) -> None:
    purchases().iloc[:-3].to_csv("other.csv", index=False)
    assert recommend(vae, "--users", "all", "--dataset_path", "other.csv") == 1
    assert "was not trained on" in capsys.readouterr().err


def test_files_of_a_run_that_were_moved_are_named(place: Path) -> None:
    rows = [f"k{user},p{(user + step) % 40},{step}" for step in range(12) for user in range(60)]
    files = {"dataset_path": rows[:500], "validation_path": rows[500:600], "test_path": rows[600:]}
    for name, part in files.items():
        Path(name).write_text("\n".join(["user,item,timestamp", *part]) + "\n", encoding="utf-8")
    given = [word for name in files for word in (f"--{name}", name)]
    settings = ["--split", "files", "--min_uc", "0", "--test_negative_sampler_code", "--experiment_name", "own"]
    assert main.run(["--templates", "train_pop", "--dataset_code", "file", *given, *settings]) == 0
    run = Path("experiments/dataset_path/own")
    before = read(run, "--users", "all")
    Path("recommendations.parquet").unlink(missing_ok=True)
    Path("moved").mkdir()
    for name in files:
        Path(name).rename(f"moved/{name}")
    assert recommend(run, "--users", "all") == 1
    moved = [word for name in files for word in (f"--{name}", f"moved/{name}")]
    assert before.equals(read(run, "--users", "all", *moved))


def histories_file() -> None:
    """Users in the data, with new ids."""
    frame = purchases()
    frame["user"] = "new " + frame["user"]
    frame.to_csv("new.csv", index=False)


@pytest.mark.parametrize("code", CODES)
def test_every_model_serves_users_and_their_copies_alike(
    runs: Path, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command for each model; a new user with the history of a user in the data gets the same items."""
    if code == "als":
        pytest.importorskip("implicit")
    run = runs / "runs" / code
    if not run.exists():
        make_run(runs, code)
    argv = ["--topk", 5, "--filter_seen", "true"]
    if code == "autorec":
        assert recommend(run, "--users", "all") == 1
        assert "autorec_user" in capsys.readouterr().err
        return
    of_users = read(run, "--users", "all", *argv)
    histories_file()
    if MODELS[code].new_user_refusal is not None:
        assert recommend(run, "--histories", "new.csv", "--output", "x.csv") == 1
        assert f"model {code} can't serve new histories" in capsys.readouterr().err
        return
    of_copies = read(run, "--histories", "new.csv", *argv)
    assert of_copies["user"].tolist() == ["new " + user for user in of_users["user"]]
    np.testing.assert_allclose(of_copies["score"], of_users["score"], rtol=1e-4, atol=1e-5)
    if not issubclass(MODELS[code], FittedModel):
        assert of_copies["item"].tolist() == of_users["item"].tolist()


def test_models_with_user_parameters_refuse_new_users(runs: Path) -> None:
    """A model whose scores depend on the user's index declares a new_user_refusal."""
    import dataclasses  # noqa: PLC0415

    from runs.trained import load_run  # noqa: PLC0415

    for code in CODES:
        run = runs / "runs" / code
        if code == "autorec" or not run.exists():
            continue
        trained = load_run(run).experiment
        users = np.arange(6)
        offsets = trained.loader.data.offsets
        batch = trained.loader.inputs(users, offsets[:-1][users], offsets[1:][users])
        other = dataclasses.replace(batch, users=batch.users + 7)
        with torch.inference_mode():
            alike = torch.equal(trained.model.scores(batch), trained.model.scores(other))
        assert alike == (MODELS[code].new_user_refusal is None), code


def test_unknown_items_are_dropped_with_a_warning(
    vae: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path("new.txt").write_text("user,item\na,item 03\na,weird\na,item 05\nb,weird\nb,odd\nc,item 07\n")
    found = read(vae, "--histories", "new.txt", "--topk", 3)
    assert found["user"].tolist() == ["a"] * 3 + ["c"] * 3
    assert "dropped 3 interactions" in caplog.text
    assert "1 of 3 users have no item that the model knows and get nothing (see empty_histories): b" in caplog.text
    assert "for 2 of 3 users" in capsys.readouterr().out
    again = read(vae, "--histories", "new.txt", "--topk", 3, "--empty_histories", "popular")
    assert again["user"].tolist() == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    without = again[again["user"] != "b"].reset_index(drop=True)
    assert without.equals(found)
    popular = read(make_run(vae.parent.parent, "pop"), "--users", "all", "--topk", 3)
    assert again[again["user"] == "b"]["score"].tolist() == popular["score"][:3].tolist()


def test_no_user_has_a_known_item(vae: Path) -> None:
    """A file in another format without any known item gives an empty table."""
    Path("lists.txt").write_text("x odd1 odd2 odd3 odd1\ny odd4\n")
    assert len(read(vae, "--histories", "lists.txt", "--file_format", "lists")) == 0


@pytest.mark.parametrize("names", ["Kunde;Artikel;Datum", "user_id;item_id;date"])
def test_histories_are_read_by_the_columns_of_the_runs_own_file(place: Path, names: str) -> None:
    """Usual column names work as well."""
    rows = [f"k{user};p{(user * step) % 40};2020-01-{step + 1:02d}" for user in range(60) for step in range(12)]
    Path("own.csv").write_text("\n".join(["Kunde;Artikel;Datum", *rows]) + "\n", encoding="utf-8")
    columns = ["--user_column", "Kunde", "--item_column", "Artikel", "--timestamp_column", "Datum"]
    given = ["--dataset_code", "file", "--dataset_path", "own.csv", *columns, "--test_negative_sampler_code"]
    assert main.run(["--templates", "train_ease", *given, "--experiment_name", "own"]) == 0
    Path("new.csv").write_text(f"{names}\nn1;p1;2020-02-01\nn1;p2;2020-02-02\n", encoding="utf-8")
    found = read(Path("experiments/own/own"), "--histories", "new.csv", "--topk", 3)
    assert found["user"].tolist() == ["n1"] * 3 and not set(found["item"]) & {"p1", "p2"}


NEW = {  # a file of new histories, a part of its message, and its item (None if it is refused)
    "as the run's own": ("user;item;sku;when\nn;p9;p1;2020-02-01\n", "", "p1"),
    "no time": ("user;item;sku\nn;p9;p1\n", "no column when", "p1"),
    "another name": ("user;item;when\nn;p1;2020-02-01\n", "no column sku", "p1"),
    "a bad time": ("user;item;sku;when\nn;p9;p1;yesterday\n", "not recognised", None),
    "nothing that is known": ("wer;was;wann\nn;p1;2020-02-01\n", "no column", None),
}


@pytest.mark.parametrize(("content", "message", "item"), NEW.values(), ids=NEW.keys())
def test_a_missing_column_changes_no_other(
    place: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    content: str,
    message: str,
    item: str | None,
) -> None:
    rows = [f"k{user};x{user};p{(user + step) % 40};2020-01-{step + 1:02d}" for user in range(60) for step in range(12)]
    Path("own.csv").write_text("\n".join(["user;item;sku;when", *rows]) + "\n", encoding="utf-8")
    columns = ["--item_column", "sku", "--timestamp_column", "when"]
    given = ["--dataset_code", "file", "--dataset_path", "own.csv", *columns, "--test_negative_sampler_code"]
    assert main.run(["--templates", "train_ease", *given, "--experiment_name", "own"]) == 0
    Path("new.csv").write_text(content, encoding="utf-8")
    caplog.clear()
    code = recommend(Path("experiments/own/own"), "--histories", "new.csv", "--topk", 40)
    assert code == (item is None)
    assert message in caplog.text + capsys.readouterr().err
    if item is not None:
        found = set(pd.read_parquet("recommendations.parquet")["item"])
        assert item not in found and "p9" in found


@pytest.mark.parametrize(("code", "need"), [("tisas", "timestamps"), ("autorec_user", "ratings")])
def test_histories_that_lack_what_a_model_needs_are_refused(
    vae: Path, code: str, need: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("new.csv").write_text("user,item\na,item 03\na,item 05\n")
    assert recommend(make_run(vae.parent.parent, code), "--histories", "new.csv") == 1
    assert f"model {code} needs {need}" in capsys.readouterr().err


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    frame = purchases()
    frame["user"], frame["item"] = frame["user"].str[1:].astype(int), frame["item"].str[5:].astype(int) + 1000
    frame.to_csv(tmp_path / "purchases.csv", index=False)
    run = make_run(tmp_path, "pop")
    found = read(run, "--users", "all", "--topk", 2)
    assert found["user"].dtype == found["item"].dtype == np.int64
    assert found["item"].min() >= 1000
    Path("some.txt").write_text("3\n")
    assert read(run, "--users", "some.txt")["user"].unique().tolist() == [3]
    pd.DataFrame({"user": [3.0, 5.0]}).to_parquet("some.parquet")  # as a column that once had gaps comes
    assert read(run, "--users", "some.parquet")["user"].unique().tolist() == [3, 5]


def test_a_run_is_found_by_a_weights_file_too(vae: Path) -> None:
    assert read(vae / "models" / "best.safetensors", "--users", "all").equals(read(vae, "--users", "all"))
    assert data_of(vae.parent.parent).num_items <= ITEMS


def test_a_template_beside_a_run_changes_nothing_of_it(runs: Path, tmp_path: Path) -> None:
    run = make_run(runs, "pop")
    output = tmp_path / "lists.csv"
    words = ["--templates", "train_ease", "--mode", "recommend", "--users", "all", "--output", str(output)]
    assert main.run([*words, "--pretrained_weights", str(run)]) == 0 and output.exists()
