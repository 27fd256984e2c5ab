# SPDX-License-Identifier: BSD-3-Clause
"""Completions of the `joyride` command for bash, zsh and fish, from its own argument parser."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ci.packages.man import REPO, subcommands

PROGRAMS = ("run",)  # what follows these sub-commands is a command line of its own


@dataclass(frozen=True)
class Option:
    """One option: its names, whether a value follows, what the value is, and what it is for."""

    names: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    text: str

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return bool(self.value)


@dataclass(frozen=True)
class Command:
    """A sub-command with its options."""

    name: str
    text: str
    options: list[Option] = field(default_factory=list)
    nested: dict[str, str] = field(default_factory=dict)


def options_of(parser: argparse.ArgumentParser) -> list[Option]:
    """The parser's options, positional arguments left out."""
    found = []
    for action in parser._actions:
        if not action.option_strings or action.help == argparse.SUPPRESS:
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        value = "" if action.nargs == 0 else metavar or "VALUE"
        choices = tuple(str(c) for c in action.choices or ())
        text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
        found.append(Option(tuple(action.option_strings), value, choices, text))
    return found


def _help_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: choice.help or "" for choice in action._choices_actions}
    return {}


def commands_of(parser: argparse.ArgumentParser) -> list[Command]:
    """All sub-commands."""
    texts = _help_of(parser)
    return [
        Command(name, texts.get(name, ""), options_of(sub), _help_of(sub)) for name, sub in subcommands(parser).items()
    ]


def _words(options: list[Option]) -> str:
    return " ".join(name for option in options for name in option.names)


def _bash_value(options: list[Option]) -> list[str]:
    """The case arms that complete the value of an option."""
    arms = []
    for option in options:
        if not option.takes_value:
            continue
        if option.choices:
            reply = f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$cur"))'
        else:
            reply = f'COMPREPLY=($(compgen -{"d" if option.value == "DIR" else "f"} -- "$cur"))'
        arms.append(f"        {'|'.join(option.names)}) {reply}; return ;;")
    return arms


def bash(top: list[Option], commands: list[Command]) -> str:
    """The script for bash-completion."""
    unique = {option.names: option for option in [*top, *(o for c in commands for o in c.options)]}
    takers = "|".join(name for option in unique.values() if option.takes_value for name in option.names)
    lines = [
        "# bash completion of joyride(1)",
        "_joyride()",
        "{",
        '    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command="" i at=0',
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        "        case ${COMP_WORDS[i]} in",
        f"        {takers}) ((i++)) ;;",
        "        -*) ;;",
        '        *) if [ -z "$command" ]; then command=${COMP_WORDS[i]}; at=$i;',
        f'           elif [[ " {" ".join(PROGRAMS)} " == *" $command "* ]]; then',
        "               if declare -F _command_offset >/dev/null; then _command_offset $i; fi; return",
        "           fi ;;",
        "        esac",
        "    done",
        "    case $prev in",
        *_bash_value(list(unique.values())),
        "    esac",
        "    case $command in",
        f'    "") COMPREPLY=($(compgen -W "{_words(top)} {" ".join(c.name for c in commands)}" -- "$cur")) ;;',
    ]
    for command in commands:
        words = " ".join([_words(command.options), *command.nested])
        extra = ' $(compgen -c -- "$cur")' if command.name in PROGRAMS else ""
        lines.append(f'    {command.name}) COMPREPLY=($(compgen -W "{words}" -- "$cur"){extra}) ;;')
    return "\n".join([*lines, "    esac", "}", "complete -F _joyride joyride", ""])


def _quoted(text: str) -> str:
    return text.replace("'", "").replace("[", "(").replace("]", ")").replace(":", ";")


def _zsh_options(options: list[Option]) -> list[str]:
    specs = []
    for option in options:
        value = ""
        if option.takes_value:
            action = (
                f"({' '.join(option.choices)})"
                if option.choices
                else ("_files -/" if option.value == "DIR" else "_files")
            )
            value = f":{option.value}:{action}"
        specs += [f"'{name}[{_quoted(option.text)}]{value}'" for name in option.names]
    return specs


def zsh(top: list[Option], commands: list[Command]) -> str:
    """The script for zsh."""
    lines = ["#compdef joyride", "# zsh completion of joyride(1)", "local context state line", "typeset -A opt_args"]
    lines += [
        "_arguments -C \\",
        *(f"    {spec} \\" for spec in _zsh_options(top)),
        "    '1:command:->command' '*::argument:->rest'",
    ]
    lines += ["case $state in", "command)", "    local -a commands=("]
    lines += [f"        '{c.name}:{_quoted(c.text)}'" for c in commands]
    lines += ["    )", "    _describe command commands ;;", "rest)", "    case $line[1] in"]
    for command in commands:
        rest = "'*::program:_normal'" if command.name in PROGRAMS else ""
        if command.nested:
            rest = f"'1:what:({' '.join(command.nested)})'"
        specs = " ".join([*_zsh_options(command.options), rest])
        lines.append(f"    {command.name}) _arguments {specs} ;;")
    return "\n".join([*lines, "    esac ;;", "esac", ""])


def fish(top: list[Option], commands: list[Command]) -> str:
    """The script for fish."""
    names = " ".join(c.name for c in commands)
    none = f"not __fish_seen_subcommand_from {names}"
    lines = ["# fish completion of joyride(1)", "complete -c joyride -f"]

    def entry(condition: str, option: Option) -> str:
        words = [f"-{'l' if n.startswith('--') else 's'} {n.lstrip('-')}" for n in option.names]
        if option.takes_value:
            words.append(f"-x -a '{' '.join(option.choices)}'" if option.choices else "-r")
        return f"complete -c joyride -n '{condition}' {' '.join(words)} -d '{_quoted(option.text)}'"

    lines += [entry(none, option) for option in top]
    for command in commands:
        seen = f"__fish_seen_subcommand_from {command.name}"
        lines.append(f"complete -c joyride -n '{none}' -a {command.name} -d '{_quoted(command.text)}'")
        lines += [entry(seen, option) for option in command.options]
        lines += [
            f"complete -c joyride -n '{seen}' -a {word} -d '{_quoted(text)}'" for word, text in command.nested.items()
        ]
        if command.name in PROGRAMS:
            lines.append(f"complete -c joyride -n '{seen}' -a '(__fish_complete_subcommand --fcs-skip=2)'")
    return "\n".join([*lines, ""])


def write_all(out: Path) -> list[Path]:
    """Write the three scripts to `out`, under the names that the shells look for."""
    sys.path.insert(0, str(REPO / "tools"))
    from joyride import cli

    parser = cli.parser()
    top, commands = options_of(parser), commands_of(parser)
    texts = {"joyride.bash": bash(top, commands), "_joyride": zsh(top, commands), "joyride.fish": fish(top, commands)}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text)
    return [out / name for name in texts]
