"""The table of the commands: their operands, what their help says, and their options."""

from __future__ import annotations

from collections.abc import Callable

import click

from dotnn.commands import COMMANDS
from dotnn.commands.manual.markdown import code, table


def _commands() -> str:
    rows = [(code(_call(command)), _first_sentences(command), _options(command)) for command in COMMANDS.values()]
    return table(("command", "does", "options"), rows)


def _call(command: click.Command) -> str:
    operands = [p.human_readable_name for p in command.params if isinstance(p, click.Argument)]
    return " ".join(["dotnn", command.name or "", *operands])


def _first_sentences(command: click.Command) -> str:
    """Return the first paragraph of the help of a command, in one line."""
    return " ".join((command.help or "").strip().partition("\n\n")[0].split())


def _options(command: click.Command) -> str:
    return ", ".join(code(_option(p)) for p in command.params if isinstance(p, click.Option))


def _option(option: click.Option) -> str:
    """Return an option with what it takes: `--style explain|fast`."""
    name = option.opts[-1]
    if option.is_flag:
        return name
    takes = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else option.metavar
    return f"{name} {takes or option.type.name.split()[0].upper()}"


COMMAND_LINE: dict[str, Callable[[], str]] = {"commands": _commands}
"""What makes the table of the commands."""
