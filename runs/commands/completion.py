"""Command completion: a script that completes options and their values in a shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field

from common.schema import RECORD, Options
from options import Registries, Resolved
from options.registries import CHOOSERS, TEMPLATES
from options.templates import template_names
from options.type_text import named_values
from runs.command import Command
from runs.registries import make_registries

SWITCHES = ("--templates", "--help", "--print_config", "--version")
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
SCRIPT = """\
_main_py() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" key="" words="" i
  COMPREPLY=()
  if [[ " ${{COMP_WORDS[*]:0:3}}" != *main.py* ]]; then
    compopt -o default
    return
  fi
  for ((i = COMP_CWORD - 1; i > 0; i--)); do
    if [[ ${{COMP_WORDS[i]}} == --* ]]; then
      key="${{COMP_WORDS[i]}}"
      break
    fi
  done
  if [[ $word == --* ]]; then
    words="{options}"
  else
    case "$key" in
{cases}
    esac
  fi
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    compopt -o default
  fi
}}
complete -F _main_py python python3 main.py
"""


class CompletionOptions(Options):
    """The shell to write a script for."""

    shell: Literal["bash", "zsh"] = Field("bash", description="the shell", json_schema_extra=RECORD)


def script(shell: str, registries: Registries) -> str:
    """The shell script, with the names of all options and of the values that they can take.

    `eval "$(python main.py --mode completion bash)"` loads it.
    """
    keys = sorted(registries.option_names())
    values: dict[str, set[str]] = {key: set() for key in keys}
    for _, _, schema in registries.everything():
        for key, field in schema.model_fields.items():
            values[key].update(["true", "false"] if field.annotation is bool else named_values(field.annotation))
    values |= {option: set(registries.components[section]) for section, option in CHOOSERS.items()}
    values |= {"mode": set(registries.commands), "templates": set(template_names(TEMPLATES)), "help": set(keys)}
    cases = [f'      --{key}) words="{" ".join(sorted(words))}" ;;' for key, words in sorted(values.items()) if words]
    options = " ".join([*SWITCHES, *(f"--{key}" for key in keys)])
    return (ZSH if shell == "zsh" else "") + SCRIPT.format(options=options, cases="\n".join(cases))


def completion_command(commands: Callable[[], Mapping[str, Command]]) -> Command:
    """The command; it completes the names of the `commands`, of which it is one."""

    def run(resolved: Resolved) -> int:
        print(script(resolved.section("completion", CompletionOptions).shell, make_registries(commands())), end="")
        return 0

    return Command(
        ("run", "completion"),
        run,
        CompletionOptions,
        description="print a script that completes options in bash or zsh",
        main_option="shell",
        needs_torch=False,
    )
