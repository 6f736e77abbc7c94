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
    return max([_formatted(name, only_check) for name in files])


def _formatted(name: str, only_check: bool) -> int:
    """Return the exit code of one file: an error in it does not keep the others from being formatted."""
    from dotnn.session import format_file

    try:
        changed = format_file(Path(name), only_check=only_check)
    except CompileError as error:
        show_errors(error)
        return 1
    if changed:
        click.echo(f"{'would change' if only_check else 'formatted'} {name}", err=True)
    return int(changed and only_check)
