"""`dotnn compile`: one self-contained script from a spec."""

from __future__ import annotations

from pathlib import Path

import click

from dotnn.commands.options import (
    FILE,
    refuse_for_other_targets,
    set_option,
    spec_argument,
    style_option,
    target_option,
)


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
@style_option("explain")
@click.option("--input-gradients", is_flag=True, help="Also compute the gradients with respect to the inputs.")
@click.option(
    "--distribute",
    type=click.Choice(["mirrored", "multiworker"]),
    help="TensorFlow only: train on several devices of one machine, or on several machines.",
)
@click.option("--verify", is_flag=True, help="Verify the graph after every pass, and the memory of a fast step.")
@click.option("--force", is_flag=True, help="Overwrite a file that dotnn did not write.")
@set_option
def command(
    spec: str,
    target: str,
    output: str | None,
    style: str,
    input_gradients: bool,
    distribute: str | None,
    verify: bool,
    force: bool,
    sets: tuple[str, ...],
) -> None:
    """Write one self-contained script."""
    refuse_for_other_targets(target, "style", "input_gradients")
    if distribute and target == "numpy":
        raise click.UsageError("--distribute needs --target tensorflow")
    from dotnn.reports.console import warn
    from dotnn.running.output import write_script
    from dotnn.session import Options, compile_spec

    options = Options(style, sets, input_gradients, target, distribute or "")
    compiled = compile_spec(spec, options, check=verify)
    warn(compiled.warnings)
    if output == "-" or (spec == "-" and not output):
        click.echo(compiled.script, nl=False)
        return
    path = Path(output) if output else Path(f"{Path(spec).stem}{'_tf' if target == 'tensorflow' else ''}.py")
    write_script(compiled.script, path, force=force, spec=Path(spec))
    click.echo(f"wrote {path}", err=True)
