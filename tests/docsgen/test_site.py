"""The parts of the documentation site that are made when it is built."""

from docsgen.docstrings import with_descriptions
from docsgen.options_pages import options_pages
from runs.commands import load_registries


def test_docstrings_keep_their_descriptions() -> None:
    text = "Do it.\n\nParameters\n----------\nx, y : the places, which\n    are ints\nz : more\n\n"
    text += "Returns\n-------\nthe sum"
    assert with_descriptions(text) == (
        "Do it.\n\nParameters\n----------\nx, y\n    the places, which\n    are ints\nz\n    more\n\n"
        "Returns\n-------\n:\n    the sum"
    )


def test_every_option_is_in_the_reference() -> None:
    text = "\n".join(options_pages().values())
    for section, code, schema in load_registries().everything():
        for key in schema.model_fields:
            assert f"- **`--{key}`**" in text, f"{section} {code}"
