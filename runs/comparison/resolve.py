"""Resolve the options of a comparison: every run on every dataset with every seed, each like a single run."""

from dataclasses import dataclass, field, replace
from typing import Any

from common.errors import nearest
from common.schema import Options
from datasets import SPLITS
from evaluation.evaluator import LIST_LENGTH
from evaluation.metrics import CUT_METRICS, RATING_METRICS
from evaluation.options import EvaluationOptions
from options.choice import Section, choose, command_of, current_name, last_wins
from options.misplaced import owners_of
from options.origin import Origin
from options.problems import Problems
from options.registries import Registries
from options.resolve import check_section, resolve
from options.resolved import Resolved
from options.templates import read_templates
from options.values import RawOption, coerce
from runs.comparison.options import CompareOptions, RunEntry
from runs.dataset_paths import as_options
from runs.run_options import RunOptions
from runs.tuning.resolve import resolve_tune
from trainers.options import TrainerOptions

OWN = ("mode", "label", "experiment_name", "model_code")  # a run's own: a comparison never overrides these
_LISTED = {"dataset_code": "datasets", "seed": "seeds"}  # a run's option -> the comparison's list of its values


@dataclass(frozen=True)
class _Plan:
    """The options that all runs of a comparison share."""

    options: CompareOptions
    latest: dict[str, RawOption]
    shared: list[RawOption]
    registries: Registries
    problems: Problems
    used: set[str] = field(default_factory=set)
    all_keys: set[str] = field(default_factory=set)

    def source(self, key: str) -> tuple[Origin, int]:
        """The origin and layer of an option of the comparison."""
        item = self.latest.get(key)
        return (Origin.default("compare"), 0) if item is None else (item.origin, item.layer)


def resolve_compare(
    given: list[RawOption], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Resolved | None:
    """The resolved options of a comparison and of its runs; None if problems were noted."""
    given = [replace(item, key=current_name(item.key, [CompareOptions])) for item in given]
    latest = _one_or_list(last_wins(given), problems)
    command = command_of(given, registries)
    before = len(problems.found)
    run_section, own_section = Section("run", "", RunOptions), Section("compare", "", CompareOptions)
    shared = [item for item in latest.values() if item.key not in CompareOptions.model_fields and item.key not in OWN]
    for item in latest.values():
        if item.key in ("label", "model_code", "experiment_name"):
            problems.add("belongs to a single run; give it in `runs`", item.origin, item.key, item.text)
    shared_run = check_section(run_section, latest, problems)
    options = check_section(own_section, latest, problems)
    if not isinstance(shared_run, RunOptions) or not isinstance(options, CompareOptions):
        return None
    plan = _Plan(options, latest, shared, registries, problems)
    runs = _runs(plan)
    _judge_shared(plan)
    _judge_metrics(plan, runs)
    if len(problems.found) > before:
        return None
    sections = {"run": shared_run, "compare": options}
    origins = {key: latest[key].origin if key in latest else Origin.default("run") for key in RunOptions.model_fields}
    origins |= {key: plan.source(key)[0] for key in CompareOptions.model_fields}
    more = {}
    for item in latest.values():
        if item.key not in origins:
            more[item.key], origins[item.key] = _shared_value(item, runs), item.origin
    return Resolved(command, sections, origins, templates, more, tuple(runs))


def _one_or_list(latest: dict[str, RawOption], problems: Problems) -> dict[str, RawOption]:
    """Replace `dataset_code` and `seed` by `datasets` and `seeds`, unless those have a higher priority."""
    latest = dict(latest)
    for one, many in _LISTED.items():
        if one not in latest:
            continue
        item = latest.pop(one)
        if many not in latest or item.priority > latest[many].priority:
            value = _coerce_any(item)
            latest[many] = RawOption(many, value if isinstance(value, list) else [value], item.origin, item.layer)
        elif item.priority == latest[many].priority:
            problems.add(f"is given together with `{many}`; give only one of them", item.origin, one, item.text)
    return latest


class _AnyValue(Options):
    value: Any = None


def _coerce_any(item: RawOption) -> Any:
    """The value of an option of unknown type."""
    return coerce(_AnyValue, replace(item, key="value"))


def _shared_value(item: RawOption, runs: list[Resolved]) -> Any:
    """The typed value of an override, as the first run that uses it reads it."""
    for run in runs:
        key = current_name(item.key, map(type, run.sections.values()))
        if key in run.values:
            return run.values[key]
    raise RuntimeError(f"no run of the comparison has the option {item.key}")


def _runs(plan: _Plan) -> list[Resolved]:
    runs = []
    for number, named in enumerate(plan.options.runs, 1):
        entry = RunEntry(template=named) if isinstance(named, str) else named
        for dataset in plan.options.datasets or ({},):
            for seed in plan.options.seeds or (None,):
                run = _run(plan, number, entry, dataset, seed)
                if run is not None:
                    runs.append(run)
    return runs


def _run(plan: _Plan, number: int, entry: RunEntry, dataset: str | dict[str, Any], seed: int | None) -> Resolved | None:
    """One run of a comparison; its problems are noted with its name.

    Priority, lowest first: the run's template; the comparison's templates: for all runs, for this run, for the dataset;
    the command line in the same order; then the dataset and the seed of this run, which can't be overridden.
    """
    names = (entry.template,) if isinstance(entry.template, str) else entry.template
    problems = Problems()
    own = _template_values(names, plan.registries, problems)
    runs, datasets, seeds = plan.source("runs"), plan.source("datasets"), plan.source("seeds")
    mine = [RawOption(key, value, *runs) for key, value in entry.overrides.items()]
    if entry.label is not None:
        mine.append(RawOption("label", entry.label, *runs))
    data = [RawOption(key, value, *datasets) for key, value in as_options(dataset).items()]
    fixed = [item for item in data if item.key == "dataset_code"]
    fixed += [] if seed is None else [RawOption("seed", seed, *seeds)]
    tuning = _tuning(plan, entry)
    mine += [item for item in tuning if item.key == "search"]
    searched = bool(tuning) and any(item.key == "search" for item in [*own, *plan.shared, *mine])
    command = RawOption("mode", "tune" if searched else "train", Origin.program("comparison"))
    fixed += [command, *(item for item in tuning if searched and item.key != "search")]
    shared = _used(plan, [*own, *mine, *data], command)
    overrides = sorted([*shared, *mine, *data], key=lambda item: item.origin.overrides_templates)
    resolver = resolve_tune if searched else resolve
    run = None if problems.found else resolver([*own, *overrides, *fixed], plan.registries, problems, names)
    if run is not None and not searched and run.section("trainer", TrainerOptions).train_on == "all":
        problems.add("train_on all leaves nothing to compare runs on")
    name = entry.label or " + ".join(names) or str(number)
    common = {(item.origin, item.key) for item in [*plan.shared, *data, *fixed]}
    for problem in problems.found:
        own_name = "" if (problem.origin, problem.key) in common else f"run `{name}`: "
        plan.problems.extend([replace(problem, message=own_name + problem.message)])
    return run


def _tuning(plan: _Plan, entry: RunEntry) -> list[RawOption]:
    """The options of a run's search: search space, budget and seed; [] without a budget."""
    trials, seeds = plan.options.tune_trials, plan.options.seeds
    if trials is None:
        return []
    given = [RawOption("num_trials", trials, *plan.source("tune_trials"))]
    if entry.search is not None:
        given.append(RawOption("search", entry.search, *plan.source("runs")))
    if seeds:
        given.append(RawOption("tune_seed", seeds[0], *plan.source("seeds")))
    return given


def _template_values(names: tuple[str, ...], registries: Registries, problems: Problems) -> list[RawOption]:
    """The values in a run's templates, without mode and experiment_name."""
    given = read_templates(names, registries.templates, problems)
    for item in [item for item in given if item.key == "mode"][-1:]:
        if item.value not in ("train", "tune"):
            problems.add(
                "is not allowed in the templates of a comparison's runs, which are trained",
                item.origin,
                "mode",
                item.text,
            )
    return [item for item in given if item.key not in ("mode", "experiment_name")]


def _used(plan: _Plan, given: list[RawOption], command: RawOption) -> list[RawOption]:
    """The shared overrides that apply to this run's components."""
    choosers = [item for item in plan.shared if item.key in RunOptions.model_fields]
    choice = choose(last_wins([*given, *choosers, command]), plan.registries, Problems())
    used = [item for item in plan.shared if choice.schema_of(choice.current_name(item.key)) is not None]
    plan.used.update(item.key for item in used)
    plan.all_keys.update(key for section in choice.sections.values() for key in section.schema.model_fields)
    return used


def _judge_metrics(plan: _Plan, runs: list[Resolved]) -> None:
    """Note each wanted metric that no run computes, and each run that computes none of them."""
    wanted, origin = plan.options.metrics, plan.source("metrics")[0]
    if wanted is None or not runs:
        return
    computed = [_metrics_of(run) for run in runs]
    everything = list(dict.fromkeys(name for names in computed for name in names))
    for name in wanted:
        if name not in everything:
            stem, _, k = name.partition("@")
            hint = f"add {k} to --metric_ks." if stem in CUT_METRICS and k.isdigit() else nearest(name, everything)
            known = f"{hint} " if hint else ""
            plan.problems.add(
                f"no run of this comparison computes it; {known}Available: {', '.join(everything)}",
                origin,
                "metrics",
                name,
            )
    if not set(wanted) <= set(everything):
        return
    for run, names in zip(runs, computed, strict=True):
        if not set(wanted) & set(names):
            chosen = run.section("run", RunOptions)
            plan.problems.add(
                f"a run of model {chosen.model_code} under split {chosen.split} computes none of them: add one of "
                f"{', '.join(names)}",
                origin,
                "metrics",
                " ".join(wanted),
            )


def _metrics_of(run: Resolved) -> list[str]:
    """The metrics that a run computes on its test set."""
    evaluation, split = run.section("evaluation", EvaluationOptions), SPLITS[run.section("run", RunOptions).split]
    if split.predicts_ratings:
        return list(RATING_METRICS)
    lists = [f"{name}@{LIST_LENGTH}" for name in ("Coverage", "Novelty", "PopularityLift")]
    return [*evaluation.ranking_metrics(), *(lists if evaluation.beyond_accuracy else [])]


def _judge_shared(plan: _Plan) -> None:
    """Note each override that no run uses."""
    broken = {problem.key for problem in plan.problems.found}
    for item in plan.shared:
        if item.key in plan.used or item.key in broken:
            continue
        owners = owners_of(item.key, plan.registries)
        if owners:
            named = ", ".join(f"{kind} `{code}`" for kind, code in owners)
            message = f"is an option of {named}, which no run of this comparison uses"
        else:
            hint = nearest(item.key, plan.all_keys | set(type(plan.options).model_fields))
            message = f"there is no such option in any run of this comparison{'; ' + hint if hint else ''}"
        plan.problems.add(message, item.origin, item.key, item.text)
