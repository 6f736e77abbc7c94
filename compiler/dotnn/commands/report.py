"""`dotnn report`: all that is known of a finished run, as one page."""

from __future__ import annotations

from pathlib import Path

import click

from dotnn.commands.options import FILE

ENDINGS = (".html", ".htm")


@click.command("report")
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "-o", "--output", metavar="FILE", type=FILE, help="An .html file; - is stdout. Default: the run's name, here."
)
@click.option("--data", metavar="PATH", type=FILE, help="The data file of the training, or the folder that holds it.")
@click.option("--force", is_flag=True, help="Overwrite a file.")
def command(run: str, output: str | None, data: str | None, force: bool) -> None:
    """Write all that is known of a finished run, or of an ensemble, as one HTML page."""
    name = output or f"{Path(run).resolve().name}.html"
    if name != "-" and Path(name).suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{name!r} does not end in .html", param_hint="--output")
    from dotnn.commands.seeing.ensemble import Ensemble, opened
    from dotnn.commands.seeing.report import ensemble_page, report_page
    from dotnn.running.output import check_output, write_text

    if name != "-":
        check_output(Path(name), force=force)
    found = opened(run)
    text = ensemble_page(found, data) if isinstance(found, Ensemble) else report_page(found, data)
    if name == "-":
        click.echo(text, nl=False)
        return
    write_text(text, Path(name))
    click.echo(f"wrote {name}", err=True)
