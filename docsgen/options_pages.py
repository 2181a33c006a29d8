"""The options reference: every option of every component, from the schemas."""

from functools import cache

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from common.schema import Options
from options.registries import CHOOSERS, Registries
from options.type_text import type_text
from options.yaml_text import flow
from runs.commands import load_registries

TITLES = {
    "run": "Options of every run",
    "evaluation": "Evaluation options",
    "dataset": "Dataset options",
    "split": "Split options",
    "model": "Model options",
    "dataloader": "Dataloader options",
    "trainer": "Trainer options",
    "command": "Command options",
}
Field = tuple[str, FieldInfo]


@cache
def options_pages() -> dict[str, str]:
    """The Markdown text of each page by its name: "model" for the options of models, ..."""
    registries = load_registries()
    found: dict[str, dict[str, type[Options]]] = {name: {} for name in TITLES}
    for section, code, schema in registries.everything():
        found.setdefault(section, {})[code] = schema
    return {name: _page(name, schemas, registries) for name, schemas in found.items() if schemas}


def _page(section: str, schemas: dict[str, type[Options]], registries: Registries) -> str:
    """The page of one section: the options that all its components share first, then those of each."""
    title = TITLES.get(section, f"Options of {section}")
    chooser = "mode" if section == "command" else CHOOSERS.get(section)
    parts = [f"# {title}"]
    if chooser:
        parts.append(f"`--{chooser}` chooses one of: {', '.join(f'`{code}`' for code in schemas)}.")
    listed = {code: [(key, field) for key, field in schema.model_fields.items()] for code, schema in schemas.items()}
    shared = _shared(list(listed.values())) if len(listed) > 1 else []
    if shared:
        parts += [f"## All {section}s", _entries(shared, registries)]
    names = {key for key, _ in shared}
    for code, fields in listed.items():
        own = [field for field in fields if field[0] not in names]
        if code:
            parts.append(f"## `{code}`")
            parts += [] if own else ["No options of its own."]
        if own:
            parts.append(_entries(own, registries))
    return "\n\n".join(parts) + "\n"


def _shared(fields: list[list[Field]]) -> list[Field]:
    """The options that all components have with the same default and description."""
    first, *others = fields
    return [(key, field) for key, field in first if all(_same(field, dict(other).get(key)) for other in others)]


def _same(field: FieldInfo, other: FieldInfo | None) -> bool:
    return other is not None and (field.default, field.description) == (other.default, other.description)


def _entries(fields: list[Field], registries: Registries) -> str:
    return "\n".join(_entry(key, field, registries) for key, field in fields)


def _entry(key: str, field: FieldInfo, registries: Registries) -> str:
    """One option as a list item: name, type, default and description."""
    default = "required"
    if not field.is_required():
        default = f"default `{flow(to_jsonable_python(field.get_default(call_default_factory=True))) or ' '}`"
    choices = {option: registries.components[section] for section, option in CHOOSERS.items()}
    kind = "a code" if key in choices or key == "mode" else type_text(field)
    return f"- **`--{key}`** ({kind.replace('|', ' | ')}; {default}): {field.description or ''}"
