"""`dotnn fmt`: one layout for every spec."""

from __future__ import annotations

from pathlib import Path

import click

from dotnn.commands.options import FILE
from dotnn.core.diagnostics import CompileError
from dotnn.reports.console import show_errors


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit with 1 if a file would change.")
def command(files: tuple[str, ...], only_check: bool) -> int:
    """Format specs in place; comments stay.

    The name - formats stdin to stdout.
    """
    return max([_exit_code(name, only_check) for name in files])


def _exit_code(name: str, only_check: bool) -> int:
    """Format a file, return its exit code: an error in it does not keep the others from being formatted."""
    try:
        changed = _format(name, only_check)
    except CompileError as error:
        show_errors(error)
        return 1
    if changed:
        click.echo(f"{'would change' if only_check else 'formatted'} {name}", err=True)
    return int(changed and only_check)


def _format(name: str, only_check: bool) -> bool:
    """Format a file, `-` to standard output; return whether it changes. Raises `CompileError`."""
    from dotnn.running.output import write_text
    from dotnn.session import read_source
    from dotnn.syntax.pretty import format_source

    source = read_source(name)
    text = format_source(source)
    changed = text != source.text
    if name == "-":
        click.echo("" if only_check else text, nl=False)
    elif changed and not only_check:
        write_text(text, Path(name))
    return changed
