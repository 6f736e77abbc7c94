"""`dotnn graph`: the network of a spec as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dotnn.commands.options import FILE, set_option
from dotnn.core.registry import file_names

if TYPE_CHECKING:
    from dotnn.session import Compilation

ENDINGS = (".svg", ".mmd")


@click.command("graph")
@click.argument("spec", metavar="[SPEC]", type=FILE, required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="An .svg file, or an .mmd file for Mermaid; - is stdout. Default: named after what is drawn, in this folder.",
)
@click.option("--run", "run_dir", metavar="DIR", type=FILE, help="Draw a finished run; SPEC may be left out.")
@click.option(
    "--show",
    type=click.Choice(file_names("dotnn.reports.pictures")),
    help="With --run: what to draw of it. Default: its network.",
)
@click.option("--data", metavar="PATH", type=FILE, help="With --run: the data file, or the folder that holds it.")
@click.option("--unfold", is_flag=True, help="Draw the layers of blocks, not one box for each use of a block.")
@click.option("--units", is_flag=True, help="Draw every unit and every weight of a small network, as it begins.")
@click.option("--example", type=click.IntRange(min=1), help="With --units: the values of this example, from 1.")
@click.option("--force", is_flag=True, help="Overwrite a file.")
@set_option
def command(spec: str | None, output: str | None, force: bool, **asked: Any) -> None:
    """Draw the network, or a run: layers with their shapes, shared weights, losses; curves, boundaries, filters."""
    wanted = Wanted(spec, **asked)
    name = output or ("-" if spec == "-" else f"{wanted.title}.svg")
    _check(wanted, name)
    from dotnn.running.output import check_output, write_text

    if name != "-":
        check_output(Path(name), force=force)
    text = _drawn(wanted, name.lower().endswith(".mmd"))
    if name == "-":
        click.echo(text, nl=False)
        return
    write_text(text, Path(name))
    click.echo(f"wrote {name}", err=True)


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn, as the command line says it."""

    spec: str | None
    run_dir: str | None
    show: str | None
    data: str | None
    unfold: bool
    units: bool
    example: int | None
    sets: tuple[str, ...]

    @property
    def title(self) -> str:
        """What a file of it is called."""
        return self.show or Path(self.spec or self.run_dir or "").stem


def _check(wanted: Wanted, name: str) -> None:
    """Refuse options that do not go together. Raises `click.UsageError`."""
    is_mermaid = name.lower().endswith(".mmd")
    if name != "-" and Path(name).suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{name!r} ends in none of {', '.join(ENDINGS)}", param_hint="--output")
    if wanted.spec is None and wanted.run_dir is None:
        raise click.UsageError("Missing argument 'SPEC', or option '--run'.")
    if wanted.units and (wanted.unfold or is_mermaid):
        raise click.UsageError("--units goes neither with --unfold nor with a file for Mermaid")
    if wanted.example is not None and not wanted.units:
        raise click.UsageError("--example is of no use without --units")
    _check_run(wanted, is_mermaid)


def _check_run(wanted: Wanted, is_mermaid: bool) -> None:
    if wanted.run_dir is None and (wanted.show or wanted.data):
        raise click.UsageError("--show and --data are of no use without --run")
    if wanted.run_dir is not None and wanted.sets:
        raise click.UsageError("--set does not go with --run: a run has its own")
    if wanted.show and (is_mermaid or wanted.unfold or wanted.units):
        raise click.UsageError("--show goes neither with --unfold, --units nor with a file for Mermaid")


def _drawn(wanted: Wanted, is_mermaid: bool) -> str:
    from dotnn.session import Compilation

    if wanted.run_dir is None:
        begun = Compilation.read(wanted.spec or "", wanted.sets)
        return _units(begun, wanted.example) if wanted.units else _diagram(begun, wanted.unfold, is_mermaid)
    from dotnn.commands.seeing.draw import check_spec, drawn, trained_units
    from dotnn.commands.seeing.ensemble import Ensemble, opened
    from dotnn.commands.seeing.run import Run
    from dotnn.reports.diagram.units_svg import units_svg

    of_weights = wanted.show or wanted.units
    found = Run.open(wanted.run_dir) if of_weights else opened(wanted.run_dir)
    run = found.run if isinstance(found, Ensemble) else found  # all members have one network
    if wanted.spec is not None:
        check_spec(run, Compilation.read(wanted.spec))
    if wanted.show:
        return drawn(run, wanted.show, wanted.data)
    if wanted.units:
        return units_svg(trained_units(run, wanted.example, wanted.data))
    return _diagram(run.begun, wanted.unfold, is_mermaid)


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
