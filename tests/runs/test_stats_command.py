"""Command stats from the command line: the table, the JSON file, the plots, several datasets, and errors."""

import json
from pathlib import Path
from typing import Any

import pytest

import main
import options
from runs.commands import load_registries

SMALL = ["--synthetic_users", "60", "--synthetic_items", "30", "--synthetic_length", "12"]
PICTURES = {"overview", "popularity", "lengths", "repeats", "activity", "gaps", "future"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, on a wide screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("plain.txt").write_text("".join(f"{u} {i}\n" for u in range(8) for i in range(u, u + 6)))


def stats(*argv: str) -> int:
    return main.run(["--mode", "stats", *argv])


def read(path: str) -> list[dict[str, Any]]:
    content = json.loads(Path(path).read_text())
    assert content["schema"] == 1
    return list(content["datasets"])


def test_one_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--dataset_code", "synthetic", *SMALL, "--stats_json", "out/s.json", "--stats_pictures", "out/pictures"]
    assert stats(*given) == 0
    shown = capsys.readouterr().out
    for word in ("users", "interactions", "tie order", "older than the newest training"):
        assert word in shown
    (found,) = read("out/s.json")
    assert found["users"] == 60
    assert found["label"] == "synthetic"
    assert found["options"]["synthetic_users"] == 60
    assert len(found["curves"]["future"]["x"]) == 101
    for path in Path("out/pictures").iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000
    assert {path.stem for path in Path("out/pictures").iterdir()} == PICTURES


def test_nothing_is_written_by_default() -> None:
    assert stats("--dataset_code", "synthetic", *SMALL) == 0
    assert {path.name for path in Path().iterdir()} == {"Data", "plain.txt"}


def test_an_option_that_all_datasets_set_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert stats("--datasets", "plain.txt", "--dataset_path", "plain.txt") == 2
    assert "--dataset_path plain.txt: has no effect" in capsys.readouterr().err


def test_several_datasets(capsys: pytest.CaptureFixture[str]) -> None:
    other = "{dataset_code: synthetic, synthetic_users: 70, synthetic_items: 30, tie_order: item}"
    given = ["--dataset_code", "synthetic", *SMALL, "--min_uc", "2", "--min_sc", "0"]
    given += ["--stats_json", "s.json", "--stats_pictures", "pictures"]
    assert stats("--datasets", "synthetic", "plain.txt", other, *given) == 0
    one, plain, two = read("s.json")
    assert [column["options"]["min_uc"] for column in (one, plain, two)] == [2, 2, 2]
    assert (one["users"], plain["users"], two["users"]) == (60, 8, 70)
    assert plain["first_time"] is plain["curves"]["activity"] is None
    assert two["label"] == "synthetic (synthetic_users 70, synthetic_items 30, tie_order item)"
    assert "tie_order item" in capsys.readouterr().out
    assert {path.stem for path in Path("pictures").iterdir()} == PICTURES


def test_errors_in_datasets_are_reported_together(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "{dataset_code: ml-1m, min_ux: 3, min_sc: many}"
    assert stats("--datasets", "ml-2m", wrong, "nowhere.txt", "file") == 2
    message = capsys.readouterr().err
    assert "4 options" in message or "5 options" in message
    for part in ("ml-2m", "ml-1m", "min_ux", "min_sc", "nowhere.txt", "dataset_path"):
        assert part in message
    assert not Path("Data").exists()


@pytest.mark.parametrize(("code", "name"), [("[a]", "[a]"), ("{b: 1}", "{b: 1}"), ("null", "null"), ("5", "5")])
def test_a_code_that_is_no_text_is_an_error(code: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert stats("--datasets", f"{{dataset_code: {code}}}") == 2
    assert f"there is no dataset `{name}`" in capsys.readouterr().err


@pytest.mark.parametrize("separator", [r"\t", "\t"])
def test_a_tab_is_typed_as_backslash_and_t(separator: str) -> None:
    Path("tab.csv").write_text("".join(f"{u}\t{i}\n" for u in range(8) for i in range(u, u + 6)))
    given = ["--dataset_code", "file", "--dataset_path", "tab.csv", "--stats_json", "s.json"]
    assert stats(*given, "--separator", separator, "--min_uc", "0", "--min_sc", "0") == 0
    (found,) = read("s.json")
    assert (found["users"], found["options"]["separator"]) == (8, "\t")


@pytest.mark.parametrize("separator", [", ", "ab", "  ", "", r"\n", "\n", "é"])
def test_an_unknown_separator_is_refused(separator: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert stats("--dataset_code", "file", "--dataset_path", "plain.txt", "--separator", separator) == 2
    message = capsys.readouterr().err
    assert "separator" in message and "character" in message


@pytest.mark.parametrize("name", ["sales [final]", "p[q]", "p[red]q", "a :car: b"])
def test_a_name_is_shown_as_it_stands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert stats("--dataset_code", "file", "--dataset_path", "plain.txt", "--dataset_name", name, "--min_sc", "0") == 0
    assert f" {name} " in capsys.readouterr().out


def test_a_training_template_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("dataset_code: file\ndataset_path: mine.csv\nmin_uc: 0\nmin_sc: 0\n")
    assert stats("--templates", "mine.yaml", "--datasets", "plain.txt") == 0
    assert "plain" in capsys.readouterr().out


def test_an_option_for_all_reaches_the_datasets_that_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_text("user,item\n1,2\n1,3\n1\n")
    other = ["{dataset_code: file, dataset_path: plain.txt, skip_bad_rows: false}", "synthetic"]
    given = [*SMALL, "--min_uc", "0", "--min_sc", "0", "--stats_json", "s.json"]
    assert stats("--datasets", "bad.txt", *other, *given, "--skip_bad_rows", "true") == 0
    bad, plain, synthetic = read("s.json")
    assert (bad["interactions"], bad["options"]["skip_bad_rows"]) == (2, True)
    assert plain["options"]["skip_bad_rows"] is False and "skip_bad_rows" not in synthetic["options"]
    assert synthetic["users"] == 60
    assert stats("--datasets", "synthetic", "--skip_bad_rows", "true") == 2
    assert "is an option of dataset `file`, but datasets lists `synthetic`" in capsys.readouterr().err
    assert stats("--datasets", "nowhere.csv", "--skip_bad_rows", "true") == 2
    assert "there is no dataset `nowhere.csv`" in capsys.readouterr().err


def test_columns_have_labels_of_their_own() -> None:
    Path("sub").mkdir()
    Path("sub/plain.txt").write_text("".join(f"{u} {i}\n" for u in range(9) for i in range(u, u + 6)))
    given = ["--min_uc", "0", "--min_sc", "0", "--stats_json", "s.json"]
    assert stats("--datasets", "plain.txt", "sub/plain.txt", "sub/plain.txt", *given) == 0
    first, second = "plain (dataset_path plain.txt)", "plain (dataset_path sub/plain.txt)"
    assert [column["label"] for column in read("s.json")] == [first, second, f"{second} (2)"]


def test_a_tilde_in_a_path_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("mine.yaml").write_text("mode: stats\ndatasets: [~/plain.txt]\nmin_sc: 0\nstats_json: ~/s.json\n")
    assert main.run(["--templates", "mine.yaml"]) == 0
    assert read("s.json")[0]["options"]["dataset_path"] == str(tmp_path / "plain.txt")


def test_a_folder_that_is_a_file_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert stats("--dataset_code", "synthetic", *SMALL, "--stats_pictures", "plain.txt") == 1
    assert "can't write the picture" in capsys.readouterr().err


def test_stats_options_belong_to_mode_stats() -> None:
    registries = load_registries()
    request = options.parse(["--mode", "stats", "--datasets", "ml-1m", "game", "--stats_json", "x.json"], registries)
    assert request.values["datasets"] == ["ml-1m", "game"]
    with pytest.raises(options.OptionsError, match="stats_json"):
        options.parse(["--templates", "train_pop", "--stats_json", "x.json"], registries)


def test_statistics_replace_no_file_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stats.json"
    file.write_text("mine")
    words = ["--mode", "stats", "--dataset_code", "synthetic", "--local_data_folder", str(tmp_path / "Data")]
    words += ["--synthetic_users", "100", "--stats_json", str(file)]
    assert main.run(words) == 1 and "exists" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main.run([*words, "--overwrite", "true"]) == 0 and file.read_text() != "mine"
