"""Figures: learning curves, metric vs. k, accuracy vs. time, groups of users, ranks; and runs that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from datasets import SPLITS
from reports import Report, ReportOptions, draw_dataset_curves, report
from reports.chart import GREY, Figure, Point, Series
from reports.comparable import SPLIT_OPTIONS
from reports.critical import rank_over_datasets
from reports.figures import colours_of, figures_of, pareto_front, versus
from reports.placing import place_names
from reports.ranks import common_part, ranks_figure
from reports.stats_file import DatasetRecord, stats_figure
from reports.user_groups import group_users

STAGES = [("recover_len 4", 0.1), ("recover_len 4", 0.3), ("recover_len 2", 0.2), ("recover_len 2", 0.4)]


def made(paths: list[Path], **options: Any) -> Report:
    return report([str(path) for path in paths], ReportOptions(**{"metrics": ("NDCG@10",), **options}))


def figures(paths: list[Path], **options: Any) -> dict[str, Figure]:
    shown = made(paths, **options)
    (table,) = shown.tables
    colours = {row.label: number for number, row in enumerate(table.rows)}
    return {figure.name: figure for figure in figures_of(table, shown.options, colours)}


def test_a_learning_curve_marks_stages_and_best_epoch(record: Any) -> None:
    (chart,) = figures([record("a", curve=STAGES, epochs=4, best_epoch=2)])["curves"].charts
    (series,) = chart.series
    assert [(point.x, point.y) for point in series.points] == [(1, 0.1), (2, 0.3), (3, 0.2), (4, 0.4)]
    assert [(mark.kind, mark.x, mark.y) for mark in series.marks] == [("stage", 3, 0.2), ("best", 2, 0.3)]


def test_a_learning_curve_over_time_has_minutes(record: Any) -> None:
    path = record("a", curve=STAGES, epochs=4, best_epoch=2)
    table = path.parent / "tables" / "time_log.csv"
    table.unlink()
    assert "curves_by_time" not in figures([path])  # times were not recorded
    table.write_text("epoch,seconds\n1,30\n2,60\n3,30\n4,120\n", encoding="utf-8")
    (chart,) = figures([path])["curves_by_time"].charts
    (series,) = chart.series
    assert [(point.x, point.y) for point in series.points] == [(0.5, 0.1), (1.5, 0.3), (2, 0.2), (4, 0.4)]
    assert [(mark.kind, mark.x) for mark in series.marks] == [("stage", 2), ("best", 1.5)]


def test_a_curve_ends_at_the_last_epoch_of_the_results(record: Any) -> None:
    path = record("a", curve=STAGES, epochs=3, best_epoch=2)
    with open(path.parent / "tables" / "val_log.csv", "a", encoding="utf-8") as file:
        file.write("5,recover_len 1,0.")
    (chart,) = figures([path])["curves"].charts
    assert [point.x for point in chart.series[0].points] == [1, 2, 3]


def test_missing_and_damaged_curves_are_reported(record: Any) -> None:
    one, other = record("a", curve=STAGES, epochs=4), record("b")
    assert "No learning curve was recorded for b." in figures([one, other])["curves"].notes
    table = one.parent / "tables" / "val_log.csv"
    table.write_text("epoch,stage,full/NDCG@10\n1,first,much\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"val_log\.csv is not a learning curve"):
        figures([one, other])


def test_runs_with_different_split_options_stand_apart(record: Any) -> None:
    paths = [record(label, split="ratio", options={"test_share": share}) for label, share in (("a", 0.1), ("b", 0.2))]
    assert [table.variant for table in made(paths).tables] == ["test_share=.1", "test_share=.2"]


def test_options_of_every_split_are_compared() -> None:
    fields = {name for maker in SPLITS.values() for name in maker.Options.model_fields}
    assert fields == set(SPLIT_OPTIONS)


def test_metric_vs_k_has_mean_and_deviation_over_seeds(record: Any) -> None:
    values = [{"full": {"NDCG@5": 0.1 * n, "NDCG@10": 0.2 * n, "Recall@10": 0.9}} for n in (1, 2)]
    (chart,) = figures([record("a", values[seed], seed=seed) for seed in (0, 1)])["k"].charts
    (series,) = chart.series
    assert [point.x for point in series.points] == [5, 10]
    assert series.points[0].y == pytest.approx(0.15)
    assert series.points[0].high - series.points[0].low == pytest.approx(2 * np.std([0.1, 0.2], ddof=1))


def test_pareto_front() -> None:
    costs = {"slow": (9, 0.5), "good": (5, 0.6), "fast": (1, 0.2), "worse": (2, 0.1), "same time": (5, 0.4)}
    series = [Series(name, name, 0, (Point(*point),)) for name, point in costs.items()]
    assert pareto_front(series, 1) == ("fast", "good")
    assert pareto_front(series, -1) == ("fast", "worse")


def test_interrupted_runs_are_marked_in_the_scatter_plot(record: Any) -> None:
    paths = [record("a", stopped_by="interrupted"), record("b", minutes=3.0)]
    figure = figures(paths)["minutes"]
    assert {series.name for series in figure.charts[0].series} == {"a \N{DAGGER}", "b"}
    assert any(note.startswith("\N{DAGGER} Interrupted") for note in figure.notes)


def test_groups_are_about_equal_and_keep_ties_together() -> None:
    fact = pd.Series(np.arange(60.0), index=[str(user) for user in range(60)])
    assert group_users(fact).sizes == (10,) * 6
    assert group_users(fact).names[0] == "0\N{EN DASH}9"
    tied = group_users(pd.Series([1.0] * 50 + [2.0, 3.0, 4.0, 5.0]))
    assert tied.sizes[0] == 50 and sum(tied.sizes) == 54


def per_user(values: Any, facts: bool = True) -> dict[str, Any]:
    columns = {"full/Recall@10": values}
    if facts:
        columns.update(history_length=np.arange(12), target_popularity=np.arange(12)[::-1] // 6)
    return columns


def test_user_attributes_of_one_run_are_used_for_all(record: Any) -> None:
    value = np.repeat([0.0, 1.0], 6)
    paths = [
        record(label, {"full": {"Recall@10": 0.5}}, per_user=per_user(value, facts))
        for label, facts in (("old", False), ("new", True))
    ]
    popularity, length = figures(paths, metrics=("Recall@10",))["users"].charts
    assert popularity.ticks == ((0.0, "0"), (1.0, "1"))
    assert [[point.y for point in series.points] for series in popularity.series] == [[1.0, 0.0]] * 2
    assert len(length.ticks) == 6


def test_figures_without_charts_are_left_out(record: Any) -> None:
    """A fitted model has no learning curve, old runs no groups of users, one row no trade-off."""
    path = record("a", per_user={"full/NDCG@10": [0.0, 1.0]}, curve=[("fit", 0.3)], epochs=1, best_epoch=1)
    assert figures([path]) == {}


def test_eight_rows_have_a_colour_of_their_own(record: Any) -> None:
    paths = [record(f"m{n}", {"full": {"NDCG@10": 1 - n / 100}}, minutes=n + 1.0) for n in range(12)]
    data = {"name": "other", "hash": "x", "users": 4, "items": 9, "interactions": 40}
    paths += [record(f"m{n}", name=f"o{n}", data=data) for n in (9, 3)]
    one, other = colours_of(made(paths).tables)
    assert [one[f"m{n}"] for n in range(12)] == [*range(8), *[GREY] * 4]
    assert other["m3"] == one["m3"] and other["m9"] not in (GREY, other["m3"])


def test_one_long_run_does_not_squeeze_the_others(record: Any) -> None:
    paths = [record(f"m{n}", curve=[("s", 0.1)] * epochs, epochs=epochs) for n, epochs in enumerate((8, 9, 10))]
    assert not figures(paths)["curves"].charts[0].x_log
    paths.append(record("long", curve=[("s", 0.1)] * 60, epochs=60))
    assert figures(paths)["curves"].charts[0].x_log


def test_names_beside_points_do_not_overlap() -> None:
    generator = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in generator.normal((150, 120), (25, 18), (14, 2))]
    sizes = [(float(width), 9.0) for width in generator.integers(20, 75, 14)]
    corners = place_names(points, sizes, (0, 330, 0, 250))
    boxes = [(x, x + w, y, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    for place, (left, right, bottom, top) in enumerate(boxes):
        assert left >= 0 and right <= 330 and bottom >= 0 and top <= 250
        for other in boxes[:place]:
            assert left >= other[1] or other[0] >= right or bottom >= other[3] or other[2] >= top


def test_different_hardware_in_words() -> None:
    assert versus(["cpu, 1 threads", "cpu, 2 threads"]) == "1 vs. 2 CPU threads"
    assert versus(["NVIDIA X", "cpu, 1 threads"]) == "NVIDIA X vs. cpu, 1 thread"


def test_users_of_different_splits_are_refused(record: Any) -> None:
    facts = per_user(np.zeros(12)), {**per_user(np.zeros(12)), "history_length": np.ones(12)}
    paths = [record(label, per_user=columns) for label, columns in zip("ab", facts, strict=True)]
    with pytest.raises(UserError, match="differ in history or targets"):
        figures(paths)


def test_no_user_groups_if_each_seed_has_its_own_split(record: Any) -> None:
    facts = per_user(np.zeros(12)), {**per_user(np.zeros(12)), "history_length": np.ones(12)}
    paths = [
        record("a", per_user=columns, seed=seed, name=f"a{seed}", options={"split_seed": None})
        for seed, columns in enumerate(facts)
    ]
    assert "users" not in figures(paths)


def test_ranks_agree_with_the_example_of_the_paper() -> None:
    # C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 datasets (Demsar 2006, table 6)
    areas = """.763 .768 .771 .798  .599 .591 .590 .569  .954 .971 .968 .967  .628 .661 .654 .657  .882 .888 .886 .898
    .936 .931 .916 .931  .661 .668 .609 .685  .583 .583 .563 .625  .775 .838 .866 .875  1.000 1.000 1.000 1.000
    .940 .962 .965 .962  .619 .666 .614 .669  .972 .981 .9751 .975  .957 .978 .946 .970"""
    ranking = rank_over_datasets(np.array(areas.split(), dtype=float).reshape(14, 4), 0.05)
    assert ranking.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    assert ranking.critical_difference == pytest.approx(1.25, abs=5e-3)
    assert ranking.p_value == pytest.approx(0.0167, abs=1e-4)  # the paper has .0257, without correction for ties
    assert ranking.cliques == ((3, 1, 2, 0),)


def test_cliques_are_maximal_groups() -> None:
    values = np.tile(np.arange(6.0)[::-1], (12, 1))
    ranking = rank_over_datasets(values, 0.05)  # ranks 1 to 6; the difference is 2.18
    assert ranking.cliques == ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5))
    assert rank_over_datasets(np.ones((5, 3)), 0.05).cliques == ((0, 1, 2),)


def several(record: Any, datasets: int) -> Report:
    generator = np.random.default_rng(0)
    paths = [
        record(
            label,
            {"full": {"NDCG@10": base + generator.random() / 10}},
            name=f"{label}{number}",
            data={"name": f"data{number}", "hash": f"{number}", "users": 4, "items": 9, "interactions": 40},
        )
        for number in range(datasets)
        for label, base in (("a", 0.1), ("b", 0.4), ("c", 0.7))
    ]
    return made(paths)


def test_ranks_over_datasets(record: Any) -> None:
    shown = several(record, 8)
    figure = ranks_figure(shown.tables, 0.05)
    (chart,) = figure.charts
    assert [(series.label, series.points[0].x) for series in chart.series] == [("c", 1), ("b", 2), ("a", 3)]
    assert "p = 0.00034" in figure.notes[1]


def test_ranks_need_five_datasets(record: Any) -> None:
    assert ranks_figure(several(record, 4).tables, 0.05).charts == ()


def test_ranks_are_over_the_largest_common_part() -> None:
    labels_of = {f"d{n}": {"a", "b", "c", "e"} for n in range(6)} | {"d6": {"a", "b"}, "d7": {"z"}}
    assert common_part(labels_of) == ([f"d{n}" for n in range(6)], ["a", "b", "c", "e"])
    assert common_part({f"d{n}": {"a", "b", "c"} for n in range(4)}) == ([], [])


def test_a_picture_is_written_for_each_figure_with_charts(record: Any, tmp_path: Path) -> None:
    paths = [record(label, curve=STAGES, epochs=4, minutes=n + 1.0) for n, label in enumerate(("a_$b", "b"))]
    written = made(paths).pictures(tmp_path / "out", ["png", "svg", "pdf"])
    names = [path.name.removeprefix("ml-1m.leave_one_out.") for path in written]
    assert names == [
        f"{name}.{form}" for name in ("minutes", "curves", "curves_by_time") for form in ("png", "svg", "pdf")
    ]
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in written)
    again = made(paths).pictures(tmp_path / "again", ["png", "svg", "pdf"])
    assert [path.read_bytes() for path in again if path.suffix != ".svg"] == [
        path.read_bytes() for path in written if path.suffix != ".svg"
    ]


def test_dataset_curves_without_timestamps(tmp_path: Path) -> None:
    curve = {"x": [1, 2], "y": [3, 1]}
    plain = {"label": "plain", "hash": "abc", "curves": {"popularity": curve, "activity": None}}
    assert [path.name for path in draw_dataset_curves([plain], tmp_path)] == ["overview.png", "popularity.png"]
    assert "Without timestamps: plain." in stats_figure([DatasetRecord.model_validate(plain)], {"plain": 0}).notes
