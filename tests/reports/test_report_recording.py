"""Recording runs, and updating the tables in a Markdown file."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

import main
from common.errors import UserError
from reports import block_difference, collect, record_runs, update_block
from reports.learning import read_curve

CURVE = [("long", 0.125), ("short", 1 / 3)]


def test_a_recorded_run_is_complete(record: Any, tmp_path: Path) -> None:
    runs = collect([str(record("My VAE/1", per_user={"full/NDCG@10": [0.0, 1.0]}, curve=CURVE, name="run"))])
    written = record_runs(runs, tmp_path / "kept", overwrite=False)
    name = "ml-1m.my_vae_1.seed0"
    assert sorted(path.name for path in written) == [f"{name}.curve.csv", f"{name}.json", f"{name}.per_user.parquet"]
    (recorded,) = collect([str(tmp_path / "kept")])
    assert recorded.record == runs[0].record
    curve = read_curve(recorded)
    assert curve is not None and curve.stages == ("long", "short")
    assert curve.values == {"full/NDCG@10": (0.125, 0.333333)}
    text = recorded.curve_path.read_text(encoding="utf-8")
    assert text.splitlines()[:2] == ["epoch,stage,loss,seconds,full/NDCG@10", "1,long,100,1.25,0.125"]
    assert recorded.per_user_path.is_file()


def test_recording_twice_and_recording_recorded_runs(record: Any, tmp_path: Path) -> None:
    runs = collect([str(record("a", curve=CURVE))])
    record_runs(runs, tmp_path / "kept", overwrite=False)
    before = {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    record_runs(runs, tmp_path / "kept", overwrite=False)
    record_runs(collect([str(tmp_path / "kept")]), tmp_path / "copied", overwrite=False)
    assert {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    assert {path.name: path.read_bytes() for path in (tmp_path / "copied").iterdir()} == {
        path.name: content for path, content in before.items()
    }


def test_another_run_is_replaced_only_with_overwrite(record: Any, tmp_path: Path) -> None:
    first = collect([str(record("a", name="one", curve=CURVE))])
    second = collect([str(record("a", name="two", epochs=99))])
    record_runs(first, tmp_path / "kept", overwrite=False)
    with pytest.raises(UserError, match=r"record of another run .*10 epochs.*--overwrite true"):
        record_runs(second, tmp_path / "kept", overwrite=False)
    assert collect([str(tmp_path / "kept")])[0].record == first[0].record
    record_runs(second, tmp_path / "kept", overwrite=True)
    (found,) = collect([str(tmp_path / "kept")])
    assert found.record.epochs == 99
    assert read_curve(found) is None, "the curve of the replaced run is still there"


def test_two_runs_with_the_same_name_are_refused(record: Any, tmp_path: Path) -> None:
    runs = collect([str(record(label)) for label in ("A b", "a_B")])
    with pytest.raises(UserError, match=r"both be recorded as ml-1m\.a_b\.seed0"):
        record_runs(runs, tmp_path / "kept", overwrite=False)
    assert not (tmp_path / "kept").exists()


def test_file_names_include_other_splits(record: Any, tmp_path: Path) -> None:
    runs = collect([str(record("a")), str(record("a", split="ratio", name="other"))])
    record_runs(runs, tmp_path / "kept", overwrite=False)
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert names == ["ml-1m.a.seed0.json", "ml-1m.ratio.a.seed0.json"]


def test_only_the_block_is_changed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(
        b"above\r\n<!-- results -->\nold\n<!-- /results -->\nbelow <!-- results:x -->\n<!-- /results:x -->"
    )
    assert block_difference(page, None, "new | table\n")
    assert update_block(page, None, "new | table\n")
    assert not block_difference(page, None, "new | table\n") and not update_block(page, None, "new | table\n")
    assert update_block(page, "x", "\\1")
    assert page.read_bytes() == (
        b"above\r\n<!-- results -->\nnew | table\n<!-- /results -->\nbelow <!-- results:x -->\n\\1\n<!-- /results:x -->"
    )


@pytest.mark.parametrize(
    "text",
    ["", "<!-- results -->\n", "<!-- /results -->\n<!-- results -->\n", "<!-- results -->\n<!-- /results -->\n" * 2],
)
def test_a_file_needs_exactly_one_block(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="must have exactly one block for the tables"):
        update_block(page, None, "x")
    with pytest.raises(UserError, match="can't read"):
        update_block(tmp_path / "nowhere.md", None, "x")


def test_report_command(record: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record("a", stopped_by="interrupted", curve=CURVE)
    page = tmp_path / "page.md"
    page.write_text("<!-- results -->\n<!-- /results -->\n", encoding="utf-8")
    command = ["--mode", "report", "--experiments", str(run), "--markdown_block", str(page)]
    assert main.run([*command, "--check_block", "true"]) == 1
    assert page.read_text(encoding="utf-8") == "<!-- results -->\n<!-- /results -->\n"
    assert main.run([*command, "--record_folder", str(tmp_path / "kept")]) == 0
    assert main.run([*command, "--check_block", "true"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "| a \N{DAGGER} |" in text and "\N{DAGGER} Interrupted" in text
    assert (tmp_path / "kept" / "ml-1m.a.seed0.curve.csv").is_file()
    assert main.run(["--mode", "report", "--experiments", str(run), "--check_block", "true"]) == 1
    assert "markdown_block" in capsys.readouterr().err


def test_recorded_commands_have_no_absolute_paths() -> None:
    recorded = sorted((ROOT / "results").glob("*.json"))
    assert recorded
    for path in recorded:
        words = shlex.split(json.loads(path.read_text(encoding="utf-8"))["command"])
        assert not [word for word in words if Path(word).is_absolute()], path
