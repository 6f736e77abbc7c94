"""`dotnn dump`: any stage of the compiler as text."""

from __future__ import annotations

import click

from dotnn.commands.options import set_option, spec_argument

STAGES = ("ast", "model", "ir", "passes", "schedule")


@click.command("dump")
@spec_argument
@click.option(
    "--stage", type=click.Choice(STAGES), default="model", show_default=True, help="The stage of the compiler to print."
)
@set_option
def command(spec: str, stage: str, sets: tuple[str, ...]) -> None:
    """Print a stage of the compiler as readable text."""
    from dotnn.session import dump_stage

    click.echo(dump_stage(spec, stage, sets), nl=False)
