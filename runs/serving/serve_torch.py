"""Recommends the next items for a history with the model in this folder. Needs only torch.

From a shell, oldest item first: `python serve.py ITEM ITEM ...`. From Python: `from serve import recommend`. If the
manifest names "values" (ratings or times in seconds), each item has one: `ITEM@5`, in Python `(item, 5)`.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import torch

here = Path(__file__).resolve().parent
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
item_ids = json.loads((here / "item_ids.json").read_text(encoding="utf-8"))  # the original id of each number; 0 is PAD
numbers = {str(item): number for number, item in enumerate(item_ids) if number}


@functools.cache
def load_model() -> Any:
    """Load the model once."""
    return torch.export.load(here / manifest["model_file"]).module()


@functools.cache
def load_index() -> Any:
    """Load the index of item vectors once; it needs faiss."""
    return importlib.import_module("faiss").read_index(str(here / manifest["index_file"]))


def recommend(history: list[Any], topk: int = 10) -> list[tuple[Any, float]]:
    """Return [(item, score), ...], best first, for a history of items or (item, value) pairs. Skips unknown items."""
    pairs = history if manifest["values"] else [(item, 0) for item in history]
    known = [(numbers[str(item)], float(value)) for item, value in pairs if str(item) in numbers]
    if not known:
        raise ValueError("no item of the history is known")
    seen = [number for number, _ in known] if manifest["filter_seen"] else []
    known = known[-(manifest["max_length"] or len(known)) :]
    known = [(0, 0.0)] * ((manifest["fixed_length"] or 0) - len(known)) + known
    items, values = [number for number, _ in known], [value for _, value in known]
    given = {"items": [items], "ratings": [values], "timestamps": [values], "request_times": values[-1:]}
    inputs = {i["name"]: torch.tensor(given[i["name"]], dtype=getattr(torch, i["dtype"])) for i in manifest["inputs"]}
    scores = load_model()(**inputs)[0].detach()
    if "index_file" in manifest:
        return nearest(scores.numpy(), seen, topk)
    scores[[0, *seen]] = -torch.inf
    best = scores.argsort(descending=True, stable=True)[:topk].tolist()
    return [(item_ids[number], scores[number].item()) for number in best if scores[number] > -torch.inf]


def nearest(vector: Any, seen: list[int], topk: int) -> list[tuple[Any, float]]:
    """The best items that the index finds for a user's vector."""
    scores, found = (part[0].tolist() for part in load_index().search(vector[None], topk + len(seen)))
    pairs = zip(found, scores, strict=True)
    return [(item_ids[number], score) for number, score in pairs if number > 0 and number not in seen][:topk]


def main(words: list[str]) -> None:
    """Print the best items for a history given as words, and its unknown items."""
    pairs = [(item, value) if at else (value, "") for item, at, value in (word.rpartition("@") for word in words)]
    history: list[Any] = pairs if manifest["values"] else words
    items = [item for item, _ in pairs] if manifest["values"] else words
    unknown = [item for item in items if item not in numbers]
    if unknown:
        print("unknown, so skipped:", ", ".join(unknown), file=sys.stderr)
    try:
        for item, score in recommend(history):
            print(item, round(score, 4), sep="\t")
    except ValueError as error:
        sys.exit(f"{error}: give " + ("ITEM@VALUE ..." if manifest["values"] else "ITEM ..."))


if __name__ == "__main__":
    main(sys.argv[1:])
