"""`dotnn compile`: one self-contained script from a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dotnn.commands.options import (
    FILE,
    own_options,
    refuse_what_does_not_apply,
    set_option,
    spec_argument,
    style_option,
    target_option,
)
from dotnn.targets import PROVEN, TARGETS, Options


@click.command("compile")
@spec_argument
@target_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="The file to write; - is stdout. Default: the spec's name with .py, in this folder.",
)
@style_option(PROVEN.styles[0])
@own_options
@click.option("--verify", is_flag=True, help="Verify the graph after every pass, and the memory of a fast step.")
@click.option("--force", is_flag=True, help="Overwrite a file that dotnn did not write.")
@set_option
def command(
    spec: str,
    target: str,
    output: str | None,
    style: str,
    verify: bool,
    force: bool,
    sets: tuple[str, ...],
    **own: Any,
) -> None:
    """Write one self-contained script."""
    refuse_what_does_not_apply(TARGETS[target], TARGETS[target].style(style))
    from dotnn.reports.console import warn
    from dotnn.running.output import lacking, write_script
    from dotnn.session import compile_spec

    options = Options(style, sets, target, **own)
    compiled = compile_spec(spec, options, check=verify)
    warn(compiled.warnings)
    for name, where in compiled.model.sizes.items():
        click.echo(f"{name} = {compiled.model.constants[name]}, from {where}", err=True)
    if output == "-" or (spec == "-" and not output):
        click.echo(compiled.script, nl=False)
        return
    path = Path(output) if output else Path(TARGETS[target].file_of(spec))
    write_script(compiled.script, path, spec=Path(spec), imported=_imported(), force=force)
    click.echo(f"wrote {path}", err=True)
    if without := lacking(compiled.model, path):
        click.echo(f"note: {without}", err=True)


def _imported() -> set[str]:
    """Return what scripts import besides the standard library, for any target."""
    return {"numpy", *(module for target in TARGETS.values() if target.needs for module in target.needs.modules)}
