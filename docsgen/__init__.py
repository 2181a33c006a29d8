"""The generated parts of README.md and docs/: tables of recorded runs, and commands that repeat them.

`python -m docsgen` writes them, `python -m docsgen --check` only checks them, as CI does. Each part lies between the
comments <!-- results:NAME --> and <!-- /results:NAME --> of a Markdown file (without :NAME where a file has only one).
"""
