"""Prints the best next items for a history, oldest item first: `python serve.py ITEM ITEM ...`.

Needs only onnxruntime. If the manifest says so, give each item with its rating or its time in seconds:
`ITEM@5`, `ITEM@1718000000`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore

here, topk = Path(__file__).resolve().parent, 10
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
item_ids = json.loads((here / "item_ids.json").read_text(encoding="utf-8"))  # the original id of each number; 0 is PAD
numbers = {str(item): number for number, item in enumerate(item_ids) if number}
words = [word.rpartition("@")[::2] if manifest["values"] else (word, "0") for word in sys.argv[1:]]
history = [(numbers[item], float(value)) for item, value in words if item in numbers]
if not history:
    sys.exit("none of these items is known: give " + ("ITEM@VALUE ..." if manifest["values"] else "ITEM ..."))
seen = [number for number, _ in history]
history = history[-(manifest["max_length"] or len(history)) :]
history = [(0, 0.0)] * ((manifest["fixed_length"] or 0) - len(history)) + history
items, values = [item for item, _ in history], [value for _, value in history]
given = {"items": [items], "ratings": [values], "timestamps": [values], "request_times": values[-1:]}
session = onnxruntime.InferenceSession(here / manifest["model_file"])
inputs = {i["name"]: np.array(given[i["name"]], dtype=i["dtype"]) for i in manifest["inputs"]}
scores = session.run(None, inputs)[0][0]
scores[[0, *seen] if manifest["filter_seen"] else [0]] = -np.inf
for number in np.argsort(-scores, kind="stable")[:topk]:
    if scores[number] > -np.inf:
        print(item_ids[number], round(float(scores[number]), 4), sep="\t")
