"""`dotnn graph`: the network of a spec as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from dotnn.commands.options import FILE, set_option, spec_argument

ENDINGS = (".svg", ".mmd")


@click.command("graph")
@spec_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="An .svg file, or an .mmd file for Mermaid; - is stdout. Default: the spec's name with .svg, in this folder.",
)
@click.option("--unfold", is_flag=True, help="Draw the layers of blocks, not one box for each use of a block.")
@click.option("--force", is_flag=True, help="Overwrite a file.")
@set_option
def command(spec: str, output: str | None, unfold: bool, force: bool, sets: tuple[str, ...]) -> None:
    """Draw the network: layers with their shapes, shared weights, losses."""
    name = output or ("-" if spec == "-" else f"{Path(spec).stem}.svg")
    if name != "-" and Path(name).suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{name!r} ends in none of {', '.join(ENDINGS)}", param_hint="--output")
    from dotnn.reports.diagram.boxes import diagram_of
    from dotnn.reports.diagram.mermaid import mermaid_of
    from dotnn.reports.diagram.svg import svg_of
    from dotnn.running.output import check_output, write_text
    from dotnn.session import Compilation

    diagram = diagram_of(Compilation.read(spec, sets).model, unfold=unfold)
    if name != "-":
        check_output(Path(name), force=force)
    text = mermaid_of(diagram) if name.lower().endswith(".mmd") else svg_of(diagram)
    if name == "-":
        click.echo(text, nl=False)
        return
    write_text(text, Path(name))
    click.echo(f"wrote {name}", err=True)
