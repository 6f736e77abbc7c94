"""`dotnn graph`: the network of a spec as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dotnn.commands.options import FILE, set_option, spec_argument

if TYPE_CHECKING:
    from dotnn.session import Compilation

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
@click.option("--units", is_flag=True, help="Draw every unit and every weight of a small network, as it begins.")
@click.option("--example", type=click.IntRange(min=1), help="With --units: the values of this example, from 1.")
@click.option("--force", is_flag=True, help="Overwrite a file.")
@set_option
def command(
    spec: str,
    output: str | None,
    unfold: bool,
    units: bool,
    example: int | None,
    force: bool,
    sets: tuple[str, ...],
) -> None:
    """Draw the network: layers with their shapes, shared weights, losses."""
    name = output or ("-" if spec == "-" else f"{Path(spec).stem}.svg")
    if name != "-" and Path(name).suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{name!r} ends in none of {', '.join(ENDINGS)}", param_hint="--output")
    is_mermaid = name.lower().endswith(".mmd")
    if units and (unfold or is_mermaid):
        raise click.UsageError("--units goes neither with --unfold nor with a file for Mermaid")
    if example is not None and not units:
        raise click.UsageError("--example is of no use without --units")
    from dotnn.running.output import check_output, write_text
    from dotnn.session import Compilation

    if name != "-":
        check_output(Path(name), force=force)
    begun = Compilation.read(spec, sets)
    text = _units(begun, example) if units else _diagram(begun, unfold, is_mermaid)
    if name == "-":
        click.echo(text, nl=False)
        return
    write_text(text, Path(name))
    click.echo(f"wrote {name}", err=True)


def _diagram(begun: Compilation, unfold: bool, is_mermaid: bool) -> str:
    from dotnn.reports.diagram.boxes import diagram_of
    from dotnn.reports.diagram.mermaid import mermaid_of
    from dotnn.reports.diagram.svg import svg_of

    diagram = diagram_of(begun.model, unfold=unfold)
    return mermaid_of(diagram) if is_mermaid else svg_of(diagram)


def _units(begun: Compilation, example: int | None) -> str:
    from dotnn.commands.explaining.units import drawn_units
    from dotnn.reports.diagram.units_svg import units_svg

    return units_svg(drawn_units(begun, example))
