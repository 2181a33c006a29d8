"""Which models can be exported to which format, from what the models declare."""

from collections import defaultdict

from docsgen.markdown import table
from models import MODELS


def export_table() -> str:
    """A table of models that can be exported alike, with the reasons of those that can't."""
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for code, model in MODELS.items():
        refusal = model.export_refusal or model.new_user_refusal
        if refusal is not None:
            alike[f"no: {refusal}", "no"].append(code)
        else:
            alike["yes", "yes" if model.onnx_refusal is None else f"no: {model.onnx_refusal}"].append(code)
    rows = [[", ".join(f"`{code}`" for code in alike[answers]), *answers] for answers in sorted(alike, reverse=True)]
    return table(["models", "`torch_export`", "`onnx`"], rows, left=(0, 1, 2))
