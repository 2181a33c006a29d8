"""The headline of README.md: a table, a forest plot and findings, each with intervals over users."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from docsgen.markdown import number, table
from docsgen.records import Group, mean_cost
from evaluation.significance import confidence_interval
from reports.numbers import DAGGER
from reports.per_user import read_per_user

DATA, SPLIT, GAMES = "ml-1m-order", "leave_one_out", "amazon-games-order"
LABELS = ("gSASRec", "eSASRec", "SASRec-CE", "GRU4Rec", "BERT4Rec", "SLIST", "ESAPR", "SASRec", "EASE", "Pop")
MINUS = "\N{MINUS SIGN}"
FINDINGS = (
    "**The next item:** take SASRec with the softmax over all items (`train_sas_ce`). Its NDCG@10 is {loss} above that "
    "of `train_sas`, which has the published loss (one negative per item) and half the width. gSASRec and "
    "eSASRec, which sample negatives, come within {within} % of it.",
    "**The next item, in closed form:** take SLIST (`train_slist`), a linear model. Its NDCG@10 is {slist} below that "
    "of SASRec with the full softmax on MovieLens-1M. On Amazon's video games it is {games} above it, but its "
    "Recall@10 isn't ({games_recall}), and SASRec had a patience of only 3 epochs there.",
    "**New users, seconds to train:** take EASE (`train_ease`). In a shop its NDCG@100 is {shop} above that of the "
    "best neural autoencoder; on MovieLens there is no significant difference ({films}).",
    "**Sampled metrics mislead:** among 100 popularity-sampled negatives eSASRec is {sampled} below SASRec with the "
    "full softmax; in the full ranking there is no significant difference ({unsampled}).",
    "**ESAPR**, the main model, reaches its published NDCG@10 among 100 popularity-sampled negatives ({reached}; "
    "published .4284). In the full ranking it is {esapr} below SASRec with the full softmax.",
)


class Recorded:
    """Looks up recorded runs by data, split and label, with the test values of each user."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = {(group.protocol.data, group.protocol.split, group.label): group for group in groups}

    def group(self, label: str, data: str = DATA, split: str = SPLIT) -> Group:
        """Raises UserError if no such run is recorded."""
        found = self._groups.get((data, split, label))
        if found is None:
            raise UserError(f"docsgen/headline.py names the run {label} on {data} ({split}), which is not recorded")
        return found

    def interval(self, group: Group, column: str) -> tuple[float, float]:
        """The 95 % bootstrap interval of the mean over users; `column` is "<candidates>/<metric>"."""
        return confidence_interval(_users(group, column))

    def gain(self, mine: Group, base: Group, column: str, sign: int = 1) -> str:
        """How far a mean lies above that of `base` (below it for sign -1), and the interval: "38 % [33, 43]".

        The interval is that of the ratio of the two means over users, by linearisation (the delta method).
        """
        first, second = _users(mine, column), _users(base, column)
        ratio = first.mean() / second.mean()
        bounds = confidence_interval(sign * (first - ratio * second) / second.mean())
        gain = 100 * sign * float(ratio - 1)
        low, high = (gain + 100 * bound for bound in bounds)
        digits = 0 if abs(gain) >= 5 else 1
        return f"{_signed(gain, digits)} % [{_signed(low, digits)}, {_signed(high, digits)}]"


def _users(group: Group, column: str) -> NDArray[np.float64]:
    """The test values of the users, sorted by user, averaged over seeds: float64 [users]."""
    frames = [read_per_user(run, [column]) for run in group.runs]
    if any(frame is None or column not in frame for frame in frames):
        raise UserError(f"{group.label} on {group.protocol.data} has a run without per-user values of {column}")
    values: NDArray[np.float64] = np.mean([frame[column] for frame in frames if frame is not None], axis=0)
    return values


def _apart(one: Group, other: Group) -> float:
    """How far the full NDCG@10 of one is from that of the other, in per cent of the latter."""
    first, second = (group.mean("full", "NDCG@10") or 0 for group in (one, other))
    return 100 * abs(first - second) / second


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    return MINUS + text if value < 0 and float(text) != 0 else text


def headline_table(recorded: Recorded) -> str:
    """The headline models with full-ranking metrics, their intervals, and minutes."""
    rows = []
    for group in _headline(recorded):
        cells = [group.label + (f" {DAGGER}" if any(run.cut_short for run in group.runs) else "")]
        for metric in ("NDCG@10", "Recall@10"):
            low, high = recorded.interval(group, f"full/{metric}")
            cells.append(f"{number(group.mean('full', metric) or 0)} [{number(low)}, {number(high)}]")
        rows.append([*cells, _minutes(group)])
    return table(["Model", "NDCG@10", "Recall@10", "Minutes"], rows)


def _headline(recorded: Recorded) -> list[Group]:
    groups = [recorded.group(label) for label in LABELS]
    return sorted(groups, key=lambda group: group.mean("full", "NDCG@10") or 0, reverse=True)


def _minutes(group: Group) -> str:
    minutes = mean_cost(group.runs, "minutes") or 0
    return f"{minutes:.0f}" if minutes >= 1 else "<1"


def findings(recorded: Recorded) -> str:
    """What the recorded runs show, with the 95 % intervals of relative differences over users."""
    column = "full/NDCG@10"
    sasrec, bce, esas, esapr = (recorded.group(label) for label in ("SASRec-CE", "SASRec", "eSASRec", "ESAPR"))
    ease = recorded.group("EASE", split="strong_generalization")
    recvae = recorded.group("RecVAE", split="strong_generalization")
    shop_ease = recorded.group("EASE", "ecommerce", "strong_generalization")
    shop_dae = recorded.group("Mult_DAE", "ecommerce", "strong_generalization")
    full = "full/NDCG@100"
    gains = {
        "loss": recorded.gain(sasrec, bce, column),
        "shop": recorded.gain(shop_ease, shop_dae, full),
        "films": recorded.gain(ease, recvae, full),
        "slist": recorded.gain(recorded.group("SLIST"), sasrec, column, -1),
        "games": recorded.gain(recorded.group("SLIST", GAMES), recorded.group("SASRec-CE", GAMES), column),
        "games_recall": recorded.gain(
            recorded.group("SLIST", GAMES), recorded.group("SASRec-CE", GAMES), "full/Recall@10"
        ),
        "sampled": recorded.gain(esas, sasrec, "popular/NDCG@10", -1),
        "unsampled": recorded.gain(esas, sasrec, column, -1),
        "within": f"{max(_apart(recorded.group('gSASRec'), sasrec), _apart(esas, sasrec)):.1f}",
        "esapr": recorded.gain(esapr, sasrec, column, -1),
    }
    gains["reached"] = number(esapr.mean("popular", "NDCG@10") or 0)
    return "\n".join(f"- {line.format(**gains)}" for line in FINDINGS)


WIDTH, ROW, LEFT, RIGHT = 760, 26, 110, 90


def forest_plot(recorded: Recorded) -> str:
    """The headline models as an SVG: a dot for the mean, a line for the interval, minutes at the right."""
    groups = _headline(recorded)
    marks = [(group, group.mean("full", "NDCG@10") or 0, recorded.interval(group, "full/NDCG@10")) for group in groups]
    top = max(high for _, _, (_, high) in marks)
    step = 0.05
    ticks = [step * i for i in range(int(top / step) + 2)]
    height = ROW * len(groups) + 84

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / ticks[-1]

    bottom = 44 + ROW * len(groups)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="14">',
        "<title>NDCG@10 of each model on MovieLens-1M with 95 % intervals over users, and minutes of training</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#fff"/>',
        f'<text x="{WIDTH - 12}" y="26" text-anchor="end" fill="#555">minutes</text>',
    ]
    for tick in ticks:
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="36" y2="{bottom}" stroke="#e3e3e3"/>')
        label = "0" if tick == 0 else f"{tick:.2f}".removeprefix("0")
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555">{label}</text>')
    for place, (group, mean, (low, high)) in enumerate(marks):
        y = 44 + ROW * place + ROW / 2
        colour = "#c2410c" if group.label == "ESAPR" else "#3949ab"
        parts += [
            f'<text x="{LEFT - 12}" y="{y + 5:.1f}" text-anchor="end" fill="#222">{escape(group.label)}</text>',
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="{x(mean):.1f}" cy="{y}" r="5" fill="{colour}"/>',
            f'<text x="{WIDTH - 12}" y="{y + 5:.1f}" text-anchor="end" fill="#222">{escape(_minutes(group))}</text>',
        ]
    axis = "NDCG@10 on MovieLens-1M, full ranking (mean and 95 % interval over users)"
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle" fill="#555">{axis}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
